"""Tries θ · f against θ / f on two branches of training from one snapshot."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np

from optix_core.branching import Branches
from optix_core.component_state import read_state
from optix_core.domain import Domain
from optix_core.domain_scale import multiply
from optix_core.generator_state import generator_from_state, generator_state
from optix_core.optimizers.branch_gate import effect_size, is_proven_better, order_of
from optix_core.seeds import draw_seed
from optix_core.work_unit import WorkUnit

FACTOR = 3.0
"""f, on the scale of the hyperparameter: three times a rate, a third of a distance to 1."""
BRANCH_WINDOWS = 3
"""Windows of each arm: the first is played before θ has changed anything, the others after."""
N_EPISODES = 8
"""Held-out episodes of each arm, at least."""
_SHORTEST, _LONGEST = 2, 32
"""Windows of the learner between two probes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    interval: int
    due: int
    turn: list[str]
    effects: dict[str, float]
    rng: dict[str, Any]


@final
class PairedBranches:
    """One hyperparameter at a time: two arms, one snapshot, one seed, one set of episodes.

    Both arms train three windows from the learner as it is, one with θ · f and one with θ / f
    (f = 3, on the scale of the domain: `domain_scale`), and are examined on the same held-out
    episodes, at least eight. Their environments begin on one seed and the agent's state is the
    same, so that the first windows are the same data where environment and agent allow it; trend
    and luck of the start cancel.

    θ moves to the better arm where Welch's test proves it better, p < 0.1; a tie keeps θ. Either
    way the better arm's weights go on, unless the snapshot itself is proven better. The next probe
    comes 2 windows later, twice as late after each tie, 32 at most, and half as late after each
    move. A round takes every parameter once, those with the largest last effect first; new ones
    come before these.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        """Draw seeds from this generator."""
        self._rng = rng
        self._interval = _SHORTEST
        self._due = 0
        self._turn: list[str] = []
        self._effects: dict[str, float] = {}

    @property
    def interval(self) -> int:
        """Windows of the learner until the next probe."""
        return self._interval

    def set_rng(self, rng: np.random.Generator) -> None:
        """Draw seeds from this generator instead."""
        self._rng = rng

    def step(self, branches: Branches, domains: Mapping[str, Domain]) -> None:
        """Probe the next of these hyperparameters where a probe is due and the budget has room.

        Args:
            branches: of the run.
            domains: of what may be tuned; what the loop steers is left to it.
        """
        left = branches.windows_left
        has_room = left is None or left >= 2 * BRANCH_WINDOWS
        # Due in the far future only where the state is that of another run.
        is_early = 0 < self._due - branches.learner_windows <= self._interval
        if is_early or not has_room:
            return
        params = branches.hyperparams
        movable = {name: domain for name, domain in domains.items() if name not in branches.steered}
        self._turn = [name for name in self._turn if name in movable] or self._new_round(movable)
        while self._turn:
            name = self._turn.pop(0)
            values = [multiply(movable[name], params[name], f) for f in (FACTOR, 1.0 / FACTOR)]
            if values[0] != values[1]:
                self._probe(branches, name, values)
                return

    def state_dict(self) -> dict[str, Any]:
        """Return interval, turn, effects and generator."""
        return {
            "interval": self._interval,
            "due": self._due,
            "turn": list(self._turn),
            "effects": dict(self._effects),
            "rng": generator_state(self._rng),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put back what `state_dict` returned.

        Raises:
            CheckpointCorruptError: if it is something else.
        """
        loaded = read_state(_State, state, what="state of paired branches")
        self._rng = generator_from_state(loaded.rng)
        self._interval = loaded.interval
        self._due = loaded.due
        self._turn = loaded.turn
        self._effects = loaded.effects

    def _new_round(self, domains: Mapping[str, Domain]) -> list[str]:
        return sorted(domains, key=lambda name: -self._effects.get(name, math.inf))

    def _probe(self, branches: Branches, name: str, values: Sequence[Any]) -> None:
        before, parent = branches.hyperparams, branches.save()
        exam = WorkUnit(
            parent=parent,
            hyperparams=before,
            seed=draw_seed(self._rng),
            n_windows=0,
            exam_seed=draw_seed(self._rng),
            n_episodes=N_EPISODES,
        )
        arms = [
            replace(exam, hyperparams={**before, name: value}, n_windows=BRANCH_WINDOWS)
            for value in values
        ]
        still, up, down = branches.run([exam, *arms])
        self._effects[name] = effect_size(up.metrics, down.metrics)
        is_up = order_of(up.metrics) >= order_of(down.metrics)
        better, worse = (up, down) if is_up else (down, up)
        has_moved = is_proven_better(better.metrics, worse.metrics)
        theta = values[0 if is_up else 1] if has_moved else before[name]
        snapshot, hyperparams = parent, before
        if better.metrics.is_finite and not is_proven_better(still.metrics, better.metrics):
            snapshot, hyperparams = better.child, better.hyperparams
        if has_moved or snapshot != parent:
            branches.adopt(snapshot, {**hyperparams, name: theta})
        for held in (parent, up.child, down.child):
            branches.release(held)
        self._wait(branches.learner_windows, has_moved=has_moved)

    def _wait(self, now: int, *, has_moved: bool) -> None:
        interval = self._interval // 2 if has_moved else self._interval * 2
        self._interval = min(max(interval, _SHORTEST), _LONGEST)
        self._due = now + self._interval
