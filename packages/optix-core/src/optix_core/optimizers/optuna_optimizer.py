"""A bridge to Optuna: each trial trains from where the run stood at first."""

import copy
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, final

import numpy as np

from optix_core.branching import Branches
from optix_core.component_state import read_state
from optix_core.domain import Domain
from optix_core.domain_scale import at, declared_room, place, spread_without_bounds
from optix_core.errors import ConfigurationError
from optix_core.eval_metrics import EvalMetrics
from optix_core.optimizers.branch_gate import is_proven_better
from optix_core.optimizers.branch_search import BranchSearch, SearchState
from optix_core.seeds import draw_seed
from optix_core.work_unit import UnitResult, WorkUnit

if TYPE_CHECKING:
    import optuna

_N_STARTUP = 2
_WIDTH = 2.0
"""Half of the range without bounds, in standard deviations of the prior."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRecord:
    """A trial as it is stored; what Optuna needs of it is made from this."""

    places: dict[str, float]
    """Where each hyperparameter lay on its scale."""
    scores: list[float]
    """Score after each rung; the last one is the trial's."""
    is_pruned: bool
    """Whether it was cut short."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Best:
    snapshot: str
    params: dict[str, Any]
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _State(SearchState):
    trials: list[TrialRecord]
    rooms: dict[str, tuple[float, float]]
    start: str | None
    params: dict[str, Any]
    exam_seed: int
    best: _Best | None


@final
class OptunaOptimizer(BranchSearch):
    """Searches hyperparameters with Optuna's TPE sampler and median pruner, one trial a step.

    Every trial trains `rungs` × `rung_windows` windows from the run's first snapshot and is
    examined after each rung, on the same held-out episodes as all others; the median pruner may
    cut it short. What Optuna searches is the scale of each domain (`domain_scale`), between
    declared bounds, else two standard deviations of the prior either way. When all trials are
    done, or the budget has no room for another, the best one that was not pruned becomes the
    learner where it is proven better than what the learner has become meanwhile (Welch, p < 0.1).

    The study is in memory and made anew from the records of its trials at each step, with a sampler
    on a seed of its own, so that a restored optimizer goes on as if nothing had been. Only this
    class imports Optuna: `pip install optix-core[optuna]`.

    Args of the constructor:
        param_bounds: bounds by name, (low, high) inclusive; see `HyperparamSpace`.
        n_trials: trials, at least 1.
        rungs: examinations of a trial, at least 1.
        rung_windows: windows between two of them, at least 1.
        n_episodes: held-out episodes of each, at least 2.
        seed: of a generator of its own until `set_rng`.

    Raises:
        ConfigurationError: if Optuna is not installed, a bound is not (low, high), or a number is
            out of range.
    """

    def __init__(
        self,
        param_bounds: Mapping[str, tuple[float, float]] | None = None,
        *,
        n_trials: int = 8,
        rungs: int = 3,
        rung_windows: int = 3,
        n_episodes: int = 8,
        seed: int | None = None,
    ) -> None:
        least = {"n_trials": 1, "rungs": 1, "rung_windows": 1, "n_episodes": 2}
        given = (n_trials, rungs, rung_windows, n_episodes)
        for (name, bound), value in zip(least.items(), given, strict=True):
            if value < bound:
                raise ConfigurationError(f"{name} must be at least {bound}, got {value}")
        _check_installed()
        super().__init__(param_bounds, seed=seed)
        self._n_trials, self._rungs, self._rung_windows = n_trials, rungs, rung_windows
        self._n_episodes = n_episodes
        self._trials: list[TrialRecord] = []
        self._rooms: dict[str, tuple[float, float]] = {}
        self._start: str | None = None
        self._params: dict[str, Any] = {}
        self._exam_seed = 0
        self._best: _Best | None = None

    @property
    def trials(self) -> tuple[TrialRecord, ...]:
        """The trials so far."""
        return tuple(self._trials)

    def held(self) -> list[str]:
        """Return the snapshot of the start and that of the best trial."""
        best = [] if self._best is None else [self._best.snapshot]
        return best if self._start is None else [self._start, *best]

    def _drop(self, branches: Branches) -> None:
        self._release(branches)
        self._trials = []

    def _go_on(
        self,
        branches: Branches,
        history: Sequence[EvalMetrics],  # noqa: ARG002 - trials are compared with each other
    ) -> None:
        """Run one trial; after the last one hand over to the best."""
        if self._start is None:
            self._begin(branches)
        left, wanted = branches.windows_left, self._rungs * self._rung_windows
        has_room = left is None or left >= wanted
        if self._rooms and has_room and len(self._trials) < self._n_trials:
            self._run_trial(branches)
        else:
            self._finish(branches)

    def state_dict(self) -> dict[str, Any]:
        """Return the trials, what is held, and the generator."""
        return {
            "trials": [asdict(trial) for trial in self._trials],
            "rooms": {name: list(room) for name, room in self._rooms.items()},
            "start": self._start,
            "params": copy.deepcopy(self._params),
            "exam_seed": self._exam_seed,
            "best": None if self._best is None else asdict(self._best),
            **super().state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put back what `state_dict` returned. The loop holds the snapshots of `held` again.

        Raises:
            CheckpointCorruptError: if it is something else.
        """
        loaded = read_state(_State, state, what="state of OptunaOptimizer")
        self._restore(loaded)
        self._trials, self._rooms = loaded.trials, loaded.rooms
        self._start, self._params, self._best = loaded.start, loaded.params, loaded.best
        self._exam_seed = loaded.exam_seed

    def _begin(self, branches: Branches) -> None:
        self._params = branches.hyperparams
        self._start = branches.save()
        self._exam_seed = draw_seed(self._rng)
        self._rooms = {
            name: _room(domain, self._params[name])
            for name, domain in self._space.tunable(self._params, on_branches=True).items()
        }

    def _run_trial(self, branches: Branches) -> None:
        trial = self._study().ask(self._distributions())
        places = {name: float(trial.params[name]) for name in self._rooms}
        snapshot, params = self._start or "", self._params_at(places)
        scores: list[float] = []
        is_pruned = False
        while len(scores) < self._rungs and not is_pruned:
            result = self._climb(branches, snapshot, params)
            self._let_go(branches, snapshot)
            snapshot, params = result.child, result.hyperparams
            scores.append(result.metrics.primary_score)
            trial.report(scores[-1], len(scores))
            is_pruned = not result.metrics.is_finite or (
                len(scores) < self._rungs and bool(trial.should_prune())
            )
        self._trials.append(TrialRecord(places=places, scores=scores, is_pruned=is_pruned))
        best = self._best
        if not is_pruned and (best is None or scores[-1] > best.score):
            self._best = _Best(snapshot=snapshot, params=params, score=scores[-1])
            snapshot = "" if best is None else best.snapshot
        self._let_go(branches, snapshot)

    def _climb(self, branches: Branches, parent: str, params: dict[str, Any]) -> UnitResult:
        unit = WorkUnit(
            parent=parent,
            hyperparams=params,
            seed=draw_seed(self._rng),
            n_windows=self._rung_windows,
            exam_seed=self._exam_seed,
            n_episodes=self._n_episodes,
        )
        return branches.run([unit])[0]

    def _finish(self, branches: Branches) -> None:
        best = self._best
        if best is not None:
            here = branches.save()
            learner = WorkUnit(
                parent=here,
                hyperparams=branches.hyperparams,
                seed=draw_seed(self._rng),
                n_windows=0,
                # Other episodes than those that the best one was chosen by.
                exam_seed=draw_seed(self._rng),
                n_episodes=self._n_episodes,
            )
            found = replace(learner, parent=best.snapshot, hyperparams=best.params)
            before, after = branches.run([learner, found])
            if is_proven_better(after.metrics, before.metrics):
                branches.adopt(best.snapshot, best.params)
            branches.release(here)
        self._release(branches)
        self._is_over = True

    def _release(self, branches: Branches) -> None:
        for snapshot in self.held():
            branches.release(snapshot)
        self._start = self._best = None

    def _let_go(self, branches: Branches, snapshot: str) -> None:
        if snapshot and snapshot != self._start:
            branches.release(snapshot)

    def _params_at(self, places: Mapping[str, float]) -> dict[str, Any]:
        params = copy.deepcopy(self._params)
        domains = self._space.tunable(params, on_branches=True)
        for name in places.keys() & domains.keys():
            params[name] = at(domains[name], params[name], places[name])
        return params

    def _distributions(self) -> "dict[str, optuna.distributions.BaseDistribution]":
        from optuna.distributions import FloatDistribution

        return {name: FloatDistribution(*room) for name, room in self._rooms.items()}

    def _study(self) -> "optuna.Study":
        import optuna

        with _quiet():
            study = optuna.create_study(
                direction="maximize",
                sampler=optuna.samplers.TPESampler(
                    n_startup_trials=_N_STARTUP, seed=draw_seed(self._rng)
                ),
                pruner=optuna.pruners.MedianPruner(n_startup_trials=_N_STARTUP),
            )
        states = optuna.trial.TrialState
        for record in self._trials:
            last = record.scores[-1]
            study.add_trial(
                optuna.trial.create_trial(
                    state=states.PRUNED if record.is_pruned else states.COMPLETE,
                    params=dict(record.places),
                    distributions=self._distributions(),
                    value=last if np.isfinite(last) else None,
                    intermediate_values=dict(enumerate(record.scores, start=1)),
                )
            )
        return study


def _room(domain: Domain, theta: Any) -> tuple[float, float]:
    room = declared_room(domain, theta)
    if room is not None:
        return room
    middle, half = place(domain, theta), _WIDTH * spread_without_bounds(domain, theta)
    return middle - half, middle + half


def _check_installed() -> None:
    try:
        from optuna import create_study
    except ImportError as error:
        raise ConfigurationError(
            "OptunaOptimizer needs Optuna, which is not installed; pip install optix-core[optuna]"
        ) from error
    del create_study


@contextmanager
def _quiet() -> Generator[None]:
    """Keep Optuna from announcing each study, and leave its verbosity as it was."""
    import optuna

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(verbosity)
