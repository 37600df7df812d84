"""Guesses which known name was meant by an unknown one."""

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """Return the known names most like `name`, best first; empty where none is near.

    Upper and lower case do not matter: `cartpole-v1` is near `CartPole-v1`.
    """
    by_folded: dict[str, str] = {}
    for candidate in known:
        by_folded.setdefault(candidate.casefold(), candidate)
    matches = difflib.get_close_matches(name.casefold(), by_folded, n=count, cutoff=0.5)
    return [by_folded[match] for match in matches]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return "did you mean a or b?" with a leading blank, or nothing where no name is near."""
    guesses = nearest(name, known)
    return f" Did you mean {' or '.join(guesses)}?" if guesses else ""
