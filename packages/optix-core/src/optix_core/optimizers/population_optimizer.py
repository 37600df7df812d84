"""Population-based training inside one run: members take turns, the best one is the learner."""

import copy
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, final

import numpy as np

from optix_core.branching import Branches
from optix_core.component_state import read_state
from optix_core.domain import Domain
from optix_core.domain_scale import draw, perturb
from optix_core.errors import CheckpointCorruptError, ConfigurationError
from optix_core.eval_metrics import EvalMetrics
from optix_core.optimizers.branch_search import BranchSearch, SearchState
from optix_core.optimizers.score_rise import FEWEST, is_rising, taken_together
from optix_core.optimizers.selection import Contestant, Selection, select
from optix_core.seeds import draw_seed
from optix_core.work_unit import UnitResult, WorkUnit, untrained

logger = logging.getLogger(__name__)

_SMALLEST = 2
_N_EPISODES = 8
_SHORTEST_GENERATION = 3
"""Windows; shorter ones reward whatever is quick at first."""
_SHARE_OF_RUN = 0.05
_LONGEST_WAIT = 2
"""Generations that members wait for a learner that rises; then it has left them behind."""

Move = Callable[[Domain, Any, np.random.Generator], Any]


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
    since: int
    began: int
    due: int


@final
class PopulationOptimizer(BranchSearch):
    """Trains K members in one run, in turns, while the learner's own scores do not rise.

    A generation is max(3, 5 % of the run) windows of the learner (of the windows so far, where the
    run has no budget). At its end the learner trains on alone where its scores of this generation,
    five at least, rise (`is_rising`). Where they do not, there is a population: the learner leads
    it, the others begin with its weights and draws from the prior (`domain_scale.draw`), and train
    a generation each on branches, now and at the end of each that follows. So they are compared at
    equal age with each other, and with a learner that training as long has not brought further;
    and every step counts. They wait for a learner that has begun to rise; after two generations
    they are dropped.

    All are examined on the same held-out episodes. Where the run has no validation pipeline,
    nothing is played for it: the later half of the windows that each has learned from is compared.
    `select` says who copies whom: the weights of the best are loaded, then hyperparameters are
    set and read back, so that no checkpoint brings the donor's back. Whoever mutates moves each
    hyperparameter on the scale of its domain (`domain_scale.perturb`), one newcomer a generation
    draws afresh. A step size that the loop steers is left to it.

    A rollback or a new round begins anew with the learner as it is then. Where the budget has no
    room for another generation the population is over, and its best member, proven or never
    beaten, has the rest.

    Args of the constructor:
        param_bounds: bounds by name, (low, high) inclusive; see `HyperparamSpace`.
        n_members: K, at least 2.
        waits: whether a learner that rises trains alone; False compares at every generation.
        n_episodes: held-out episodes that a member is examined on, at least 2.
        seed: of a generator of its own until `set_rng`.

    Raises:
        ConfigurationError: if a bound is not (low, high), or a number is out of range.
    """

    def __init__(
        self,
        param_bounds: Mapping[str, tuple[float, float]] | None = None,
        *,
        n_members: int = 3,
        waits: bool = True,
        n_episodes: int = _N_EPISODES,
        seed: int | None = None,
    ) -> None:
        for name, value in (("n_members", n_members), ("n_episodes", n_episodes)):
            if value < _SMALLEST:
                raise ConfigurationError(f"{name} must be at least {_SMALLEST}, got {value}")
        super().__init__(param_bounds, seed=seed)
        self._n_members = n_members
        self._waits = waits
        self._n_episodes = n_episodes
        self._members: list[Member] = []
        self._leader = self._since = self._began = self._due = 0

    @property
    def members(self) -> tuple[Member, ...]:
        """The population as of the last comparison; empty while the learner trains alone."""
        return tuple(self._members)

    @property
    def leader(self) -> int:
        """Index of the member that is the learner."""
        return self._leader

    def _go_on(self, branches: Branches, history: Sequence[EvalMetrics]) -> None:
        """Begin, or compare the population where a generation is over and nothing rises."""
        if not self._due:
            self._begin(branches)
        elif branches.learner_windows >= self._due:
            self._end_generation(branches, history)

    def held(self) -> list[str]:
        """Return the snapshots that members go on from."""
        return [member.snapshot for member in self._members if member.snapshot is not None]

    def state_dict(self) -> dict[str, Any]:
        """Return the population, who leads it, when it is compared next, and the generator."""
        return {
            "members": [asdict(member) for member in self._members],
            "leader": self._leader,
            "since": self._since,
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
        self._since, self._began, self._due = loaded.since, loaded.began, loaded.due

    def _begin(self, branches: Branches) -> None:
        if not self._movable(branches, branches.hyperparams):
            logger.warning("no hyperparameter of the agent may be tuned: there is no population")
            self._is_over = True
            return
        self._begin_generation(branches, branches.learner_windows)
        # The evaluation that has just been made is the first of this learner.
        self._since = branches.learner_windows - 1

    def _begin_generation(self, branches: Branches, began: int) -> None:
        self._began = began
        self._due = began + self._generation(branches)

    def _generation(self, branches: Branches) -> int:
        """Windows of a generation as long as the run is by now."""
        n_windows = branches.windows if branches.max_windows is None else branches.max_windows
        return max(_SHORTEST_GENERATION, math.ceil(_SHARE_OF_RUN * n_windows))

    def _end_generation(self, branches: Branches, history: Sequence[EvalMetrics]) -> None:
        n_windows, left = branches.learner_windows - self._began, branches.windows_left
        if left is not None and left < n_windows * (self._n_members - 1):
            self._drop(branches)
            self._is_over = True
        elif not (self._waits and self._is_rising(branches, history)):
            self._compare(branches, history, n_windows)
        elif self._members and n_windows < _LONGEST_WAIT * self._generation(branches):
            self._due = branches.learner_windows + self._generation(branches)
        else:
            self._drop(branches)
            self._begin_generation(branches, branches.learner_windows)

    def _is_rising(self, branches: Branches, history: Sequence[EvalMetrics]) -> bool:
        """Whether the learner deserves to train alone: its scores rise, or are too few to tell."""
        look_back = max(FEWEST, self._generation(branches))
        first = max(self._since, branches.learner_windows - look_back)
        return is_rising(_from_window(history, first))

    def _compare(self, branches: Branches, history: Sequence[EvalMetrics], n_windows: int) -> None:
        if not self._members:
            self._form(branches)
        contestants = self._catch_up(branches, history, n_windows)
        selection = select(contestants, self._leader)
        has_changed = selection.leader != self._leader
        self._follow(branches, selection)
        # A window that the leader before has played is not learned from by the one that follows.
        began = branches.learner_windows + has_changed
        if has_changed:
            self._since = branches.learner_windows
        self._begin_generation(branches, began)

    def _form(self, branches: Branches) -> None:
        """Make the population of a learner that does not rise: others begin where it is."""
        params, start = branches.hyperparams, branches.save()
        self._leader = 0
        self._members = [Member(params=params, snapshot=None)]
        for _ in range(1, self._n_members):
            branches.hold(start)
            drawn = self._drawn(branches, params)
            self._members.append(Member(params=drawn, snapshot=start))
        branches.release(start)

    def _catch_up(
        self, branches: Branches, history: Sequence[EvalMetrics], n_windows: int
    ) -> list[Contestant]:
        """Train all but the leader, score all; members are then what came of it."""
        results = self._results(branches, history, n_windows)
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

    def _results(
        self, branches: Branches, history: Sequence[EvalMetrics], n_windows: int
    ) -> list[UnitResult]:
        """Do the members' units; the leader's trains nothing.

        Where nothing is played for scores, its own evaluations say what the leader is worth.
        """
        has_exam = branches.has_held_out
        exam_seed = draw_seed(self._rng)
        of_leader = WorkUnit(
            parent=branches.save(),
            hyperparams=branches.hyperparams,
            seed=draw_seed(self._rng),
            n_windows=0,
            exam_seed=exam_seed,
            n_episodes=self._n_episodes,
        )
        units = [
            WorkUnit(
                parent=member.snapshot,
                hyperparams=member.params,
                seed=draw_seed(self._rng),
                n_windows=n_windows,
                exam_seed=exam_seed,
                n_episodes=self._n_episodes if has_exam else 0,
            )
            for member in self._members
            if member.snapshot is not None
        ]
        if has_exam:
            units.insert(self._leader, of_leader)
            return branches.run(units)
        results = branches.run(units)
        later = _from_window(history, branches.learner_windows - math.ceil(n_windows / 2))
        metrics = taken_together(later or history[-1:])
        results.insert(self._leader, untrained(of_leader, metrics))
        return results

    def _follow(self, branches: Branches, selection: Selection) -> None:
        """Carry a selection out: copies first, then the hand-over to the leader."""
        self._members = [
            replace(member, times_last=times)
            for member, times in zip(self._members, selection.times_last, strict=True)
        ]
        donor = self._members[selection.best]
        if selection.mutant is not None:
            self._copy(branches, selection.mutant, donor, self._mutated(branches, donor.params))
        if selection.newcomer is not None:
            self._copy(branches, selection.newcomer, donor, self._drawn(branches, donor.params))
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
        self._members, self._due = [], 0

    def _mutated(self, branches: Branches, params: Mapping[str, Any]) -> dict[str, Any]:
        return self._moved(branches, params, perturb)

    def _drawn(self, branches: Branches, params: Mapping[str, Any]) -> dict[str, Any]:
        return self._moved(branches, params, draw)

    def _moved(self, branches: Branches, params: Mapping[str, Any], move: Move) -> dict[str, Any]:
        changed = copy.deepcopy(dict(params))
        for name, domain in self._movable(branches, changed).items():
            changed[name] = move(domain, changed[name], self._rng)
        return changed

    def _movable(self, branches: Branches, params: Mapping[str, Any]) -> dict[str, Domain]:
        """What may be tuned, save what the loop steers: a draw would only be steered back."""
        tunable = self._space.tunable(params, on_branches=True)
        return {name: domain for name, domain in tunable.items() if name not in branches.steered}


def _from_window(history: Sequence[EvalMetrics], first: int) -> list[EvalMetrics]:
    return [metrics for metrics in history if metrics.episode_id >= first]
