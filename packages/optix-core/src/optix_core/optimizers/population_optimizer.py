"""Population-based training inside one run: challengers take turns with the learner."""

import copy
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, final

from optix_core.branching import Branches
from optix_core.component_state import read_state
from optix_core.domain import Domain
from optix_core.domain_scale import draw
from optix_core.errors import CheckpointCorruptError, ConfigurationError
from optix_core.eval_metrics import EvalMetrics
from optix_core.optimizers.branch_search import BranchSearch, SearchState
from optix_core.optimizers.challenge import Mark, Outcome, is_better, judge
from optix_core.optimizers.score_rise import is_rising, taken_together
from optix_core.seeds import draw_seed
from optix_core.work_unit import UnitResult, WorkUnit

logger = logging.getLogger(__name__)

_SMALLEST = 2
_N_EPISODES = 8
_SHORTEST_GENERATION = 3
"""Windows; shorter ones reward whatever is quick at first."""
_SHARE_OF_RUN = 0.05
_LOOK_BACK = 8
"""Windows, at least, over which scores rise or do not: a slow rise drowns in the noise of fewer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenger:
    """A policy that trains on branches with hyperparameters of its own."""

    params: dict[str, Any]
    """Hyperparameters that it trains with; a steered step size may have moved since the draw."""
    snapshot: str
    """What it goes on from, in the branch store."""
    marks: list[Mark] = field(default_factory=list[Mark])
    """What it was worth at the end of each generation, oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _State(SearchState):
    challengers: list[Challenger]
    record: list[Mark]
    origin: str | None
    since: int
    began: int
    due: int


@final
class PopulationOptimizer(BranchSearch):
    """Lets challengers train beside the learner while the learner's own scores do not rise.

    A generation is max(3, 5 % of the run) windows of the learner (of the windows so far, where the
    run has no budget). At its end the learner trains on alone where its scores of this generation,
    and of 8 windows at least, rise (`is_rising`). Where they do not, K - 1 challengers train a
    generation each on branches, with draws from the prior (`domain_scale.draw`); a step size that
    the loop steers is left to it. They begin with the weights of a learner that has risen above its
    first generation, since hyperparameters alone may be what is missing; of one that has not, with
    those that it began with, since hyperparameters that are far off ruin weights for good.

    `judge` compares at equal age: a challenger that is proven better than the learner becomes the
    learner, weights first, then hyperparameters, which are set and read back, so that no checkpoint
    brings others back. One that falls behind what the learner was at the same age is given up, and
    another is drawn when the learner stands still next. The rest train on then; while the learner
    rises they wait. All are examined on the same held-out episodes. Where the run has no
    validation pipeline, nothing is played for it: the later half of the windows that each has
    learned from is compared.

    A rollback or a new round begins anew with the learner as it is then. Where the budget has no
    room for another generation the search is over, and the learner has the rest.

    Args of the constructor:
        param_bounds: bounds by name, (low, high) inclusive; see `HyperparamSpace`.
        n_members: K, the learner included, at least 2.
        waits: whether a learner that rises trains alone; False compares at every generation.
        n_episodes: held-out episodes that each is examined on, at least 2.
        seed: of a generator of its own until `set_rng`.

    Raises:
        ConfigurationError: if a bound is not (low, high), or a number is out of range.
    """

    def __init__(
        self,
        param_bounds: Mapping[str, tuple[float, float]] | None = None,
        *,
        n_members: int = 2,
        waits: bool = True,
        n_episodes: int = _N_EPISODES,
        seed: int | None = None,
    ) -> None:
        for name, value in (("n_members", n_members), ("n_episodes", n_episodes)):
            if value < _SMALLEST:
                raise ConfigurationError(f"{name} must be at least {_SMALLEST}, got {value}")
        super().__init__(param_bounds, seed=seed)
        self._n_challengers = n_members - 1
        self._waits = waits
        self._n_episodes = n_episodes
        self._challengers: list[Challenger] = []
        self._record: list[Mark] = []
        self._origin: str | None = None
        self._since = self._began = self._due = 0

    @property
    def challengers(self) -> tuple[Challenger, ...]:
        """Those that were not given up at the last comparison."""
        return tuple(self._challengers)

    def _go_on(self, branches: Branches, history: Sequence[EvalMetrics]) -> None:
        """Begin, or end a generation that is over."""
        if self._origin is None:
            self._begin(branches)
        elif branches.learner_windows >= self._due:
            self._end_generation(branches, history, self._origin)

    def held(self) -> list[str]:
        """Return the snapshots that challengers begin and go on with."""
        origin = [] if self._origin is None else [self._origin]
        return origin + [challenger.snapshot for challenger in self._challengers]

    def state_dict(self) -> dict[str, Any]:
        """Return the challengers, the learner's record, when a generation ends, the generator."""
        return {
            "challengers": [asdict(challenger) for challenger in self._challengers],
            "record": [asdict(mark) for mark in self._record],
            "origin": self._origin,
            "since": self._since,
            "began": self._began,
            "due": self._due,
            **super().state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put back what `state_dict` returned. The loop holds the snapshots of `held` again.

        Raises:
            CheckpointCorruptError: if it is something else, or has too many challengers.
        """
        loaded = read_state(_State, state, what="state of PopulationOptimizer")
        if len(loaded.challengers) > self._n_challengers:
            raise CheckpointCorruptError(
                f"this state has {len(loaded.challengers)} challengers, the optimizer at most "
                f"{self._n_challengers}; make it with as many members as the run was started with"
            )
        self._restore(loaded)
        self._challengers, self._record = loaded.challengers, loaded.record
        self._origin, self._since = loaded.origin, loaded.since
        self._began, self._due = loaded.began, loaded.due

    def _begin(self, branches: Branches) -> None:
        if not self._movable(branches, branches.hyperparams):
            logger.warning("no hyperparameter of the agent may be tuned: there is no population")
            self._is_over = True
            return
        self._origin = branches.save()
        # The evaluation that has just been made is the first of this learner.
        self._since = branches.learner_windows - 1
        self._begin_generation(branches, branches.learner_windows)

    def _begin_generation(self, branches: Branches, began: int) -> None:
        self._began = began
        self._due = began + self._generation(branches)

    def _generation(self, branches: Branches) -> int:
        """Windows of a generation as long as the run is by now."""
        n_windows = branches.windows if branches.max_windows is None else branches.max_windows
        return max(_SHORTEST_GENERATION, math.ceil(_SHARE_OF_RUN * n_windows))

    def _end_generation(
        self, branches: Branches, history: Sequence[EvalMetrics], origin: str
    ) -> None:
        n_windows, left = branches.learner_windows - self._began, branches.windows_left
        if left is not None and left < n_windows * self._n_challengers:
            self._drop(branches)
            self._is_over = True
            return
        later = _from_window(history, branches.learner_windows - math.ceil(n_windows / 2))
        self._record.append(_grown(self._record, n_windows, later or history[-1:]))
        began = branches.learner_windows
        if not (self._waits and self._is_rising(branches, history)):
            self._fill(branches, origin)
            self._train(branches, n_windows)
            # A window that the learner before has played is not learned from by the next one.
            began += self._follow(branches)
        self._begin_generation(branches, began)

    def _is_rising(self, branches: Branches, history: Sequence[EvalMetrics]) -> bool:
        """Whether the learner deserves to train alone: its scores rise, or are too few to tell."""
        look_back = max(_LOOK_BACK, self._generation(branches))
        first = max(self._since, branches.learner_windows - look_back)
        return is_rising(_from_window(history, first))

    def _fill(self, branches: Branches, origin: str) -> None:
        """Draw challengers in the place of those that were given up."""
        has_risen = is_better(self._record[-1].metrics, self._record[0].metrics)
        while len(self._challengers) < self._n_challengers:
            if has_risen:
                # As old as the learner was a generation ago, so that both are of one age after it.
                snapshot, marks = branches.save(), self._record[:-1]
            else:
                branches.hold(origin)
                snapshot, marks = origin, list[Mark]()
            drawn = self._drawn(branches)
            self._challengers.append(Challenger(params=drawn, snapshot=snapshot, marks=marks))

    def _train(self, branches: Branches, n_windows: int) -> None:
        """Train the challengers for a generation; all are what came of it then."""
        results = self._results(branches, n_windows)
        for challenger in self._challengers:
            branches.release(challenger.snapshot)
        self._challengers = [
            Challenger(
                params=result.hyperparams,
                snapshot=result.child,
                marks=[*before.marks, _grown(before.marks, n_windows, [result.metrics])],
            )
            for before, result in zip(self._challengers, results, strict=True)
        ]

    def _results(self, branches: Branches, n_windows: int) -> list[UnitResult]:
        """Do the challengers' units, and examine the learner where there is a pipeline for it."""
        exam_seed = draw_seed(self._rng)
        units = [
            WorkUnit(
                parent=challenger.snapshot,
                hyperparams=challenger.params,
                seed=draw_seed(self._rng),
                n_windows=n_windows,
                exam_seed=exam_seed,
                n_episodes=self._n_episodes if branches.has_held_out else 0,
            )
            for challenger in self._challengers
        ]
        if not branches.has_held_out:
            return branches.run(units)
        of_learner = WorkUnit(
            parent=branches.save(),
            hyperparams=branches.hyperparams,
            seed=draw_seed(self._rng),
            n_windows=0,
            exam_seed=exam_seed,
            n_episodes=self._n_episodes,
        )
        *results, examined = branches.run([*units, of_learner])
        branches.release(of_learner.parent)
        self._record[-1] = Mark(
            age=self._record[-1].age, metrics=taken_together([examined.metrics])
        )
        return results

    def _follow(self, branches: Branches) -> bool:
        """Carry out what the comparison comes to; returns whether the learner was replaced."""
        outcomes = [judge(challenger.marks, self._record) for challenger in self._challengers]
        judged = list(zip(self._challengers, outcomes, strict=True))
        winner = max(
            (challenger for challenger, outcome in judged if outcome is Outcome.WINS),
            key=lambda challenger: challenger.marks[-1].metrics.primary_score,
            default=None,
        )
        self._challengers = []
        for challenger, outcome in judged:
            if challenger is winner:
                branches.adopt(challenger.snapshot, challenger.params)
                self._record, self._since = challenger.marks, branches.learner_windows
            if challenger is winner or outcome is Outcome.LOSES:
                branches.release(challenger.snapshot)
            else:
                self._challengers.append(challenger)
        return winner is not None

    def _drop(self, branches: Branches) -> None:
        for snapshot in self.held():
            branches.release(snapshot)
        self._challengers, self._record, self._origin = [], [], None

    def _drawn(self, branches: Branches) -> dict[str, Any]:
        changed = copy.deepcopy(branches.hyperparams)
        for name, domain in self._movable(branches, changed).items():
            changed[name] = draw(domain, changed[name], self._rng)
        return changed

    def _movable(self, branches: Branches, params: Mapping[str, Any]) -> dict[str, Domain]:
        """What may be tuned, save what the loop steers: a draw would only be steered back."""
        tunable = self._space.tunable(params, on_branches=True)
        return {name: domain for name, domain in tunable.items() if name not in branches.steered}


def _grown(before: Sequence[Mark], n_windows: int, evaluations: Sequence[EvalMetrics]) -> Mark:
    age = before[-1].age if before else 0
    return Mark(age=age + n_windows, metrics=taken_together(evaluations))


def _from_window(history: Sequence[EvalMetrics], first: int) -> list[EvalMetrics]:
    return [metrics for metrics in history if metrics.episode_id >= first]
