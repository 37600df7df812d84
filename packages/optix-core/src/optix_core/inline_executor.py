"""Does work units in this process, one after the other, with the run's own agent and pipelines."""

import math
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, final

from optix_core.abilities import HasState, supports
from optix_core.base_agent import BaseAgent
from optix_core.checkpoint_registry import CheckpointRegistry
from optix_core.episode_data import EpisodeData
from optix_core.errors import CheckpointNotFoundError, ConfigurationError
from optix_core.eval_metrics import EvalMetrics
from optix_core.examination import Examination, Sample
from optix_core.hyperparam_set import HyperparamSet
from optix_core.policy_snapshot import PolicySnapshot
from optix_core.read_back import put_into_force
from optix_core.row_values import own
from optix_core.tuning_seat import read_hyperparams
from optix_core.work_unit import UnitResult, WorkUnit


@dataclass(frozen=True, slots=True, kw_only=True)
class Workbench:
    """What units are done with."""

    agent: BaseAgent
    """Lends itself to each unit."""
    store: CheckpointRegistry
    """Where parents are found and children are kept."""
    begin: Callable[[int], None]
    """Begins training anew on a seed."""
    next_window: Callable[[], EpisodeData]
    """Plays a training window."""
    learn: Callable[[BaseAgent, EpisodeData], object]
    """Lets the agent learn from a window, its step size steered where the run steers it."""
    examination: Examination
    """Scores the policy."""
    stateful: Sequence[HasState] = ()
    """What else than the agent learning changes: put back after each unit."""


@final
class InlineExecutor:
    """The deterministic default: units are done in the order of their handles, at `wait`.

    The learner is put aside before the first one and is bit for bit what it was after the last
    one, also where a unit raises: weights and hyperparameters come back from a snapshot, the state
    from `HasState` where the agent has that. Each unit begins with that same state, so that
    generators and replay are shared, and two units with one parent and one seed differ by their
    hyperparameters alone. Children are pinned in the store; whoever submits them lets go of them.
    """

    def __init__(self, bench: Workbench) -> None:
        """Work at this bench."""
        self._bench = bench
        self._waiting: dict[int, WorkUnit] = {}
        self._n_submitted = 0

    def submit(self, unit: WorkUnit) -> int:
        """Take a unit on; it is done when it is waited for."""
        self._n_submitted += 1
        self._waiting[self._n_submitted] = unit
        return self._n_submitted

    def wait(self, handles: Sequence[int]) -> list[UnitResult]:
        """Do these units and return their results, in the order of the handles.

        Raises:
            ConfigurationError: if a handle was never given out, or was waited for before.
            CheckpointNotFoundError: if a parent is not in the store.
            ContractViolationError: if the agent does not give back hyperparameters that it got.
            Exception: what agent, environment or evaluator raised, as it was raised.
        """
        unknown = [handle for handle in handles if handle not in self._waiting]
        if unknown or len(set(handles)) < len(handles):
            raise ConfigurationError(
                f"wait was given the handles {list(handles)}, of which {unknown} are unknown; each "
                "handle of submit can be waited for once"
            )
        units = [self._waiting.pop(handle) for handle in handles]
        results: list[UnitResult] = []
        with self._learner_put_aside() as reset_state:
            try:
                for unit in units:
                    results.append(self._do(unit, reset_state))  # noqa: PERF401 - see below
            except BaseException:
                # Nobody will ever hear of these children, so nobody would let go of them.
                for result in results:
                    self._let_go(result)
                raise
        return results

    def close(self) -> None:
        """Drop what was not waited for."""
        self._waiting.clear()

    def _do(self, unit: WorkUnit, reset_state: Callable[[], None]) -> UnitResult:
        bench = self._bench
        bench.store.load(find_snapshot(bench.store, unit.parent), bench.agent)
        # After the weights, whose snapshot brings the hyperparameters of the parent.
        put_into_force(bench.agent, HyperparamSet(dict(unit.hyperparams)), "a work unit")
        reset_state()
        last, sample = self._train(unit)
        hyperparams = read_hyperparams(bench.agent)
        # Before the examination, which may move what acting moves.
        child = keep(bench.store, bench.agent).snapshot_id if unit.n_windows else unit.parent
        exam = (
            bench.examination.of(unit)
            if last is None or unit.n_episodes
            else bench.examination.of_training(last, sample)
        )
        return UnitResult(
            child=child,
            hyperparams=hyperparams.params,
            metrics=exam.metrics,
            windows=unit.n_windows,
            steps=sum(part.steps for part in sample),
            exam_steps=exam.steps,
            returns=exam.returns,
        )

    def _let_go(self, result: UnitResult) -> None:
        if result.windows:
            self._bench.store.unpin(result.child)

    def _train(self, unit: WorkUnit) -> tuple[EpisodeData | None, list[Sample]]:
        """Learn from the unit's windows; returns the newest, and what a score needs of each."""
        self._bench.begin(unit.seed)
        window, sample = None, list[Sample]()
        for _ in range(unit.n_windows):
            window = self._bench.next_window()
            sample.append(Sample.of(window))
            self._bench.learn(self._bench.agent, window)
        return window, sample

    @contextmanager
    def _learner_put_aside(self) -> Generator[Callable[[], None]]:
        bench = self._bench
        agent: object = bench.agent
        stateful = [*bench.stateful, *([agent] if supports(agent, HasState) else [])]
        # A state may hold the very arrays that training changes.
        states: list[Any] = [own(part.state_dict()) for part in stateful]

        def reset_state() -> None:
            for part, state in zip(stateful, states, strict=True):
                part.load_state_dict(own(state))

        aside = keep(bench.store, bench.agent)
        try:
            yield reset_state
        finally:
            bench.store.load(aside, bench.agent)
            reset_state()
            bench.store.unpin(aside.snapshot_id)


def keep(store: CheckpointRegistry, agent: BaseAgent) -> PolicySnapshot:
    """Save an agent as it is, pinned; without a score, so that it is never the best."""
    return store.save(agent, EvalMetrics(math.nan), read_hyperparams(agent), pin=True)


def find_snapshot(store: CheckpointRegistry, snapshot_id: str) -> PolicySnapshot:
    """Return the snapshot of this name.

    Raises:
        CheckpointNotFoundError: if it is not in the store.
    """
    for snapshot in store.snapshots():
        if snapshot.snapshot_id == snapshot_id:
            return snapshot
    raise CheckpointNotFoundError(f"there is no snapshot {snapshot_id!r} in {store.path}")
