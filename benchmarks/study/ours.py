"""One run of Optix's own loop, with the study's ledger in it."""

import io
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.study.agents import NumpyPPO, make_agent
from benchmarks.study.bench import FINAL_SEEDS, Bench
from benchmarks.study.records import RunKey, RunRecord
from benchmarks.study.starts import starting_params
from benchmarks.study.tasks import TASKS, WINDOW_STEPS
from optix_core import (
    CheckpointRegistry,
    EvalMetrics,
    LoopCallback,
    LoopHandle,
    PolicySnapshot,
    RLOptimizer,
    SimplePipeline,
    StopReason,
)
from optix_evolve import PolicyManager

NEVER = 1_000_000
"""A patience that outlasts every budget."""

NO_STOP: dict[str, Any] = {
    "plateau_test": False,
    "dormant_threshold": NEVER,
    "plateau_threshold": NEVER,
}
"""Nothing stops the run but the budget."""

FIXED: dict[str, Any] = {"autotune": False, "confirm": False, **NO_STOP}
"""Nothing is tuned either: the best window's policy is handed back."""


@dataclass(frozen=True, slots=True)
class Ours:
    """A condition that runs Optix's loop."""

    options: Callable[[], dict[str, Any]] = dict
    """Makes what `RLOptimizer` is given beside agent, pipeline, directory and seed."""
    evolves: bool = False
    """Whether variants are spawned at each convergence, until the budget is spent."""
    knows_budget: bool = False
    """Whether the loop is told how long the run may be; a search cuts its trials by it too."""
    budget_factor: int = 1
    """Times the task's budget that the run may take."""


class Ledger(LoopCallback):
    """Keeps a run's curve, and ends it when the budget is spent."""

    def __init__(self, bench: Bench[NumpyPPO]) -> None:
        self._bench = bench

    def bind(self, loop: LoopHandle) -> None:
        self._loop = loop

    def on_improvement(self, snapshot: PolicySnapshot) -> None:
        self._bench.new_incumbent(lambda agent: self._loop.registry.load(snapshot, agent))

    def on_episode_end(self, window_id: int, metrics: EvalMetrics | None) -> None:
        if metrics is not None:
            self._bench.window_scores.append((self._bench.counter.steps, metrics.primary_score))
        if self._bench.is_spent:
            self._loop.stop("the budget is spent")


def run_ours(key: RunKey, condition: Ours) -> RunRecord:
    """Run a condition of our own."""
    task = TASKS[key.task].times(condition.budget_factor)
    agent = make_agent(task, starting_params(key.start, task, key.seed), key.seed)
    bench = Bench(task, make_agent(task, {}, 0))
    callbacks: list[LoopCallback] = [Ledger(bench)]
    with tempfile.TemporaryDirectory() as directory:
        if condition.evolves:
            callbacks.append(_evolution(key, agent, Path(directory)))
        report = RLOptimizer(
            agent,
            SimplePipeline(bench.training_env(), window_size=WINDOW_STEPS),
            checkpoint_dir=directory,
            seed=key.seed,
            callbacks=callbacks,
            max_episodes=task.n_windows if condition.knows_budget else None,
            **condition.options(),
        ).run()
    stopped_itself = report.stop_reason not in (StopReason.STOPPED, StopReason.MAX_WINDOWS)
    return RunRecord(
        key=key,
        curve=bench.curve,
        final=bench.true_score(agent, FINAL_SEEDS),
        steps=bench.counter.steps,
        stopped_at=bench.counter.steps if stopped_itself else None,
        reason=report.stop_reason.value,
        window_scores=bench.window_scores,
    )


def _evolution(key: RunKey, agent: NumpyPPO, directory: Path) -> LoopCallback:
    task = TASKS[key.task]
    params = starting_params(key.start, task, key.seed)
    n_made = 0

    def make_variant() -> NumpyPPO:
        nonlocal n_made
        n_made += 1
        return make_agent(task, params, key.seed + 1_000_003 * n_made)

    manager = PolicyManager(CheckpointRegistry(directory), max_ensemble_size=4)
    return manager.as_callback(
        agent, agent_factory=make_variant, signals="sound", stream=io.StringIO()
    )
