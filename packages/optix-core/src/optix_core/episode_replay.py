"""What an environment has to be told again to be where it was: a seeded reset, then actions.

An environment's own generator cannot be read, but a seeded reset sets it. The first reset of a run
is seeded; so is, from then on, the first reset that comes 1,000 steps or more after the last seeded
one, each on a seed of its own. So all that happened since can be played again, at the cost of some
steps: that reset, then the same actions, with resets that are not seeded where episodes ended.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast, final

import numpy as np
from numpy.typing import NDArray

from optix_core.row_values import stack_rows

RESEED_AFTER = 1_000
"""Steps after a seeded reset from which the next reset is seeded too."""

MAX_STEPS = 100_000
"""Steps that are played again at most: an episode that goes on beyond begins anew at a resume."""


@final
class SeededResets:
    """Hands out the seeds of resets: children of the one that was given; none without it."""

    def __init__(self) -> None:
        """Seed nothing yet."""
        self._root: int | None = None
        self._n_given = 0

    @property
    def is_fresh(self) -> bool:
        """Whether the next reset is the first of a sequence of seeds."""
        return self._root is not None and not self._n_given

    def restart(self, seed: int | None) -> None:
        """Begin a sequence of seeds with this one; None ends seeding."""
        self._root, self._n_given = seed, 0

    @property
    def is_pending(self) -> bool:
        """Whether the reset that comes next is the first one on a seed that was given."""
        return self._root is not None and not self._n_given

    def next_seed(self, n_steps: int) -> int | None:
        """Return the seed of the reset that is about to happen; None for none.

        Args:
            n_steps: steps since the last reset that was seeded.
        """
        if self._root is None or (self._n_given and n_steps < RESEED_AFTER):
            return None
        number, self._n_given = self._n_given, self._n_given + 1
        if number == 0:
            return self._root
        # Below 2**31, since some simulators take no more.
        sequence = np.random.SeedSequence(self._root, spawn_key=(number,))
        return int(sequence.generate_state(1, np.uint32)[0]) >> 1

    def state_dict(self) -> dict[str, Any]:
        """Return the place in the sequence."""
        return {"root": self._root, "n_given": self._n_given}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put back what `state_dict` returned."""
        self._root, self._n_given = state["root"], state["n_given"]


@final
class ActionTrace:
    """The seed of the last seeded reset, and the actions since; at most `MAX_STEPS` of them."""

    def __init__(self) -> None:
        """Know of no reset."""
        self._seed: int | None = None
        self._parts: list[NDArray[Any]] = []
        self._are_python: list[bool] = []
        self._length = 0

    def __len__(self) -> int:
        """Number of steps since the reset, also where they are too many to keep."""
        return self._length

    @property
    def seed(self) -> int | None:
        """The seed; None where the past cannot be played again."""
        return self._seed

    def begin(self, seed: int | None) -> None:
        """Begin at a reset on this seed; None where the past cannot be played again."""
        self._seed, self._length = seed, 0
        self._parts, self._are_python = [], []

    def extend(self, actions: Sequence[Any], stacked: NDArray[Any] | None = None) -> None:
        """Take the actions of a window, in order; copies them.

        Args:
            actions: as they were.
            stacked: the same as one array, where there is one already.
        """
        self._length += len(actions)
        if self._length > MAX_STEPS:
            self._seed, self._parts, self._are_python = None, [], []
        if self._seed is None or not len(actions):
            return
        self._parts.append(stack_rows(actions) if stacked is None else stacked.copy())
        self._are_python.append(not isinstance(actions[0], np.generic | np.ndarray))

    def actions(self) -> Iterator[Any]:
        """Yield the actions again, each of the type that it was."""
        for part, is_python in zip(self._parts, self._are_python, strict=True):
            yield from cast("Sequence[Any]", part.tolist() if is_python else part)

    def state_dict(self) -> dict[str, Any]:
        """Return seed and actions."""
        parts = [p.tolist() if p.dtype.hasobject else p for p in self._parts]
        return {
            "seed": self._seed,
            "parts": parts,
            "are_python": list(self._are_python),
            "length": self._length,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put back what `state_dict` returned."""
        self.begin(state["seed"])
        self._are_python = list(state["are_python"])
        self._parts = [p if isinstance(p, np.ndarray) else stack_rows(p) for p in state["parts"]]
        self._length = state["length"]
