"""Guesses which known name was meant by an unknown one."""

import difflib
from collections.abc import Iterable

_LIKENESS = 0.6


def nearest(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """Return the known names that `name` may stand for, best first; empty where none may.

    Spelt alike, upper and lower case aside (`cartpole-v1` for `CartPole-v1`), then abbreviated
    (`lr` for `learning_rate`, `epochs` for `n_epochs`).
    """
    by_folded: dict[str, str] = {}
    for candidate in known:
        by_folded.setdefault(candidate.casefold(), candidate)
    wanted = name.casefold()
    matches = difflib.get_close_matches(wanted, by_folded, n=count, cutoff=_LIKENESS)
    shortened = [folded for folded in by_folded if _is_short_for(wanted, folded)]
    ranked = dict.fromkeys([*matches, *shortened])
    return [by_folded[match] for match in ranked][:count]


def _is_short_for(name: str, candidate: str) -> bool:
    words = candidate.split("_")
    initials = "".join(word[:1] for word in words)
    return name in words or name == initials


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return "did you mean a or b?" with a leading blank, or nothing where no name is near."""
    guesses = nearest(name, known)
    return f" Did you mean {' or '.join(guesses)}?" if guesses else ""
