"""Population-based training inside one run: members take turns, the best one is the learner."""

import copy
import logging
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, final

from optix_core.branching import Branches
from optix_core.component_state import read_state
from optix_core.domain_scale import draw, perturb
from optix_core.errors import CheckpointCorruptError, ConfigurationError
from optix_core.optimizers.branch_search import BranchSearch, SearchState
from optix_core.optimizers.selection import Contestant, Selection, select
from optix_core.seeds import draw_seed
from optix_core.work_unit import WorkUnit

logger = logging.getLogger(__name__)

_SMALLEST = 2
_N_EPISODES = 8
_SHORTEST_GENERATION = 3
"""Windows; shorter ones reward whatever is quick at first."""
_SHARE_OF_RUN = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One of the population, between two comparisons."""

    params: dict[str, Any]
    """Hyperparameters that it trains with; the leader's may have been steered since."""
    snapshot: str | None
    """Weights that it goes on from; None for the leader, whose weights are the learner's."""
    age: int = 0
    """Windows that it had trained at the last comparison."""
    times_last: int = 0
    """Comparisons in a row at which it was last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _State(SearchState):
    members: list[Member]
    leader: int
    began: int
    due: int


@final
class PopulationOptimizer(BranchSearch):
    """Trains K members in one run, in turns; losers copy the best one's weights.

    One member, the leader, is the learner of the run: the loop's own windows are its training.
    When a generation of max(3, 5 % of the run) windows is over (of the windows so far, where the
    run has no budget), the others catch up on branches, as many windows each, and all are examined
    on the same held-out episodes. So members are compared at equal age, and every step counts.
    `select` says who copies whom: the weights of the best are loaded, then hyperparameters are
    set and read back, so that no checkpoint brings the donor's back. Whoever mutates moves each
    hyperparameter on the scale of its domain (`domain_scale.perturb`), one newcomer a generation
    draws afresh from the prior (`domain_scale.draw`).

    The first leader keeps the hyperparameters that it was given, the others begin with draws. A
    rollback or a new round begins a new population with the learner as it is then. Where the
    budget has no room for another generation the population is over, and its best member, proven
    or never beaten, has the rest.

    Args of the constructor:
        param_bounds: bounds by name, (low, high) inclusive; see `HyperparamSpace`.
        n_members: K, at least 2.
        n_episodes: held-out episodes that a member is examined on, at least 2.
        seed: of a generator of its own until `set_rng`.

    Raises:
        ConfigurationError: if a bound is not (low, high), or a number is out of range.
    """

    def __init__(
        self,
        param_bounds: Mapping[str, tuple[float, float]] | None = None,
        *,
        n_members: int = 4,
        n_episodes: int = _N_EPISODES,
        seed: int | None = None,
    ) -> None:
        for name, value in (("n_members", n_members), ("n_episodes", n_episodes)):
            if value < _SMALLEST:
                raise ConfigurationError(f"{name} must be at least {_SMALLEST}, got {value}")
        super().__init__(param_bounds, seed=seed)
        self._n_members = n_members
        self._n_episodes = n_episodes
        self._members: list[Member] = []
        self._leader = self._began = self._due = 0

    @property
    def members(self) -> tuple[Member, ...]:
        """The population as of the last comparison; empty before it begins and after its end."""
        return tuple(self._members)

    @property
    def leader(self) -> int:
        """Index of the member that is the learner."""
        return self._leader

    def _go_on(self, branches: Branches) -> None:
        """Begin the population, or compare it where a generation is over."""
        if not self._members:
            self._begin(branches)
        elif branches.learner_windows >= self._due:
            self._end_generation(branches)

    def held(self) -> list[str]:
        """Return the snapshots that members go on from."""
        return [member.snapshot for member in self._members if member.snapshot is not None]

    def state_dict(self) -> dict[str, Any]:
        """Return the population, who leads it, when it is compared next, and the generator."""
        return {
            "members": [asdict(member) for member in self._members],
            "leader": self._leader,
            "began": self._began,
            "due": self._due,
            **super().state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put back what `state_dict` returned. The loop holds the snapshots of `held` again.

        Raises:
            CheckpointCorruptError: if it is something else, or of another number of members.
        """
        loaded = read_state(_State, state, what="state of PopulationOptimizer")
        if len(loaded.members) not in (0, self._n_members):
            raise CheckpointCorruptError(
                f"this state has {len(loaded.members)} members, the optimizer {self._n_members}; "
                "make it with as many as the run was started with"
            )
        self._restore(loaded)
        self._members = loaded.members
        self._leader = loaded.leader
        self._began, self._due = loaded.began, loaded.due

    def _begin(self, branches: Branches) -> None:
        params = branches.hyperparams
        if not self._space.tunable(params, on_branches=True):
            logger.warning("no hyperparameter of the agent may be tuned: there is no population")
            self._is_over = True
            return
        self._leader = 0
        self._members = [Member(params=params, snapshot=None)]
        start = branches.save()
        for _ in range(1, self._n_members):
            branches.hold(start)
            self._members.append(Member(params=self._drawn(params), snapshot=start))
        branches.release(start)
        self._begin_generation(branches, branches.learner_windows)

    def _begin_generation(self, branches: Branches, began: int) -> None:
        n_windows = branches.windows if branches.max_windows is None else branches.max_windows
        self._began = began
        self._due = began + max(_SHORTEST_GENERATION, math.ceil(_SHARE_OF_RUN * n_windows))

    def _end_generation(self, branches: Branches) -> None:
        n_windows, left = branches.learner_windows - self._began, branches.windows_left
        if left is not None and left < n_windows * (self._n_members - 1):
            self._drop(branches)
            self._is_over = True
            return
        contestants = self._catch_up(branches, n_windows)
        selection = select(contestants, self._leader)
        has_changed = selection.leader != self._leader
        self._follow(branches, selection)
        # A window that the leader before has played is not learned from by the one that follows.
        self._begin_generation(branches, branches.learner_windows + has_changed)

    def _catch_up(self, branches: Branches, n_windows: int) -> list[Contestant]:
        """Train all but the leader, examine all; members are then what came of it."""
        here, exam_seed = branches.save(), draw_seed(self._rng)
        units = [
            WorkUnit(
                parent=here if member.snapshot is None else member.snapshot,
                hyperparams=branches.hyperparams if member.snapshot is None else member.params,
                seed=draw_seed(self._rng),
                n_windows=0 if member.snapshot is None else n_windows,
                exam_seed=exam_seed,
                n_episodes=self._n_episodes,
            )
            for member in self._members
        ]
        results = branches.run(units)
        for snapshot in self.held():
            branches.release(snapshot)
        self._members = [
            replace(
                member, params=result.hyperparams, snapshot=result.child, age=member.age + n_windows
            )
            for member, result in zip(self._members, results, strict=True)
        ]
        return [
            Contestant(age=member.age, metrics=result.metrics, times_last=member.times_last)
            for member, result in zip(self._members, results, strict=True)
        ]

    def _follow(self, branches: Branches, selection: Selection) -> None:
        """Carry a selection out: copies first, then the hand-over to the leader."""
        self._members = [
            replace(member, times_last=times)
            for member, times in zip(self._members, selection.times_last, strict=True)
        ]
        donor = self._members[selection.best]
        if selection.mutant is not None:
            self._copy(branches, selection.mutant, donor, self._mutated(donor.params))
        if selection.newcomer is not None:
            self._copy(branches, selection.newcomer, donor, self._drawn(donor.params))
        leader = self._members[selection.leader]
        if leader.snapshot is not None:
            if selection.leader != self._leader:
                branches.adopt(leader.snapshot, leader.params)
            branches.release(leader.snapshot)
        self._leader = selection.leader
        self._members[self._leader] = replace(leader, snapshot=None)

    def _copy(self, branches: Branches, index: int, donor: Member, params: dict[str, Any]) -> None:
        loser = self._members[index]
        if donor.snapshot is not None:
            branches.hold(donor.snapshot)
        if loser.snapshot is not None:
            branches.release(loser.snapshot)
        self._members[index] = replace(loser, snapshot=donor.snapshot, params=params)

    def _drop(self, branches: Branches) -> None:
        for snapshot in self.held():
            branches.release(snapshot)
        self._members = []

    def _mutated(self, params: Mapping[str, Any]) -> dict[str, Any]:
        changed = copy.deepcopy(dict(params))
        for name, domain in self._space.tunable(changed, on_branches=True).items():
            changed[name] = perturb(domain, changed[name], self._rng)
        return changed

    def _drawn(self, params: Mapping[str, Any]) -> dict[str, Any]:
        changed = copy.deepcopy(dict(params))
        for name, domain in self._space.tunable(changed, on_branches=True).items():
            changed[name] = draw(domain, changed[name], self._rng)
        return changed
