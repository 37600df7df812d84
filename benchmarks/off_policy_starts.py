"""Agents with a replay memory from step sizes that are good and wrong: who repairs them?

Each run that ended has a file of its own and is not run again. Training steps count, those of
branches included; validation is the same for all conditions and counts for none.

Run: `uv run --group bench python -m benchmarks.off_policy_starts [--seeds 0-4] [--table]`
"""

import argparse
import itertools
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from benchmarks.harness import one_thread, write_table
from benchmarks.harness.aggregates import (
    bootstrap,
    pooled_mean,
)
from benchmarks.study.bench import FINAL_SEEDS, Bench
from benchmarks.study.tasks import Task
from optix_cli.environments import episode_pipeline, look_up_environment
from optix_cli.loop_settings import LoopSettings
from optix_core import (
    BackoffOptimizer,
    Domain,
    EpisodeData,
    HyperparamSet,
    LoopCallback,
    LoopHandle,
    PolicySnapshot,
    PopulationOptimizer,
    RLOptimizer,
)
from optix_pipelines import BatchPipeline
from optix_tf import DQNAgent, SACAgent
from optix_tf.off_policy_agent import OffPolicyAgent

RUNS = Path(__file__).resolve().parent / "off_policy_runs"
SOLVED = 0.9
"""Normalised final score from which on a run counts as solved, as in the study."""
HIDDEN, BATCH_SIZE = (64, 64), 64
"""Small networks and minibatches, so that a run costs seconds."""


class ProbingDQN(DQNAgent):
    """Its greedy actions are watched instead of its weights: the band of churn."""

    def hyperparam_space(self) -> Mapping[str, Domain]:
        return _probed(super().hyperparam_space())

    def learn(self, episode_data: EpisodeData) -> dict[str, Any]:
        return _without_ratio(super().learn(episode_data))


class ProbingSAC(SACAgent):
    """Its action distribution is watched instead of its weights: the band of divergence."""

    def hyperparam_space(self) -> Mapping[str, Domain]:
        return _probed(super().hyperparam_space())

    def learn(self, episode_data: EpisodeData) -> dict[str, Any]:
        return _without_ratio(super().learn(episode_data))


def _probed(space: Mapping[str, Domain]) -> Mapping[str, Domain]:
    return {name: replace(domain, probe=True) for name, domain in space.items()}


def _without_ratio(diagnostics: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in diagnostics.items() if name != "update_ratio"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """A task, and who learns it."""

    task: Task
    agent: Callable[..., OffPolicyAgent]
    """`for_spaces` of the agent."""
    probing: Callable[..., OffPolicyAgent]
    """The same of the one whose policy is watched."""
    rate: float
    """The agent's default step size: the start `good`."""


def _task(env_id: str, n_windows: int, worst: float, best: float) -> Task:
    return Task(env_id=env_id, n_windows=n_windows, worst=worst, best=best, far_factor=1.0)


GROUNDS: Mapping[str, Ground] = {
    "dqn-cartpole": Ground(
        task=_task("CartPole-v1", 20, 20.0, 500.0),
        agent=DQNAgent.for_spaces,
        probing=ProbingDQN.for_spaces,
        rate=5e-4,
    ),
    "sac-pendulum": Ground(
        task=_task("Pendulum-v1", 10, -1_250.0, -160.0),
        agent=SACAgent.for_spaces,
        probing=ProbingSAC.for_spaces,
        rate=1e-3,
    ),
    "dqn-acrobot": Ground(
        task=_task("Acrobot-v1", 30, -500.0, -80.0),
        agent=DQNAgent.for_spaces,
        probing=ProbingDQN.for_spaces,
        rate=5e-4,
    ),
}
STARTS: Mapping[str, float] = {
    "good": 1.0,
    "x0.03": 0.03,
    "x0.1": 0.1,
    "x10": 10.0,
    "x100": 100.0,
}
"""Factors on the default step size."""

_NEVER = 1_000_000
_NO_STOP: dict[str, Any] = {
    "plateau_test": False,
    "dormant_threshold": _NEVER,
    "plateau_threshold": _NEVER,
}
CONDITIONS: Mapping[str, Callable[[], dict[str, Any]]] = {
    "fixed": lambda: {"autotune": False, **_NO_STOP},
    "default": dict,
    "probed": dict,
    "population": lambda: {"autotune": False, "optimizer": PopulationOptimizer(), **_NO_STOP},
    "evidence": lambda: {
        "autotune": False,
        "optimizer": BackoffOptimizer(mode="evidence"),
        **_NO_STOP,
    },
}
"""What `RLOptimizer` is given beside what `optix train` gives it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A run: which one, and what came out of it. Scores are returns, not normalised."""

    ground: str
    start: str
    condition: str
    seed: int
    curve: list[tuple[int, float]] = field(default_factory=list[tuple[int, float]])
    """(training steps, true score of the policy that would be handed back), at each change."""
    final: float = 0.0
    """Mean return of the policy handed back on fresh greedy episodes."""
    rate: float = 0.0
    """Step size of the policy that was handed back."""
    reason: str = ""
    """Why the run ended."""
    cpu_s: float = 0.0

    @property
    def path(self) -> Path:
        """Its file."""
        name = f"{self.ground}-{self.start}-{self.condition}-{self.seed}.json"
        return RUNS / name

    def save(self) -> None:
        """Write the record, whole or not at all."""
        RUNS.mkdir(exist_ok=True)
        staged = self.path.with_suffix(f".{os.getpid()}.tmp")
        staged.write_bytes(msgspec.json.encode(asdict(self)))
        staged.replace(self.path)

    def load(self) -> "Record | None":
        """Return the record on disk, if the run has ended."""
        if not self.path.exists():
            return None
        return msgspec.json.decode(self.path.read_bytes(), type=Record)

    @property
    def normalised(self) -> float:
        """Normalised final score."""
        return GROUNDS[self.ground].task.normalised(self.final)

    @property
    def area(self) -> float:
        """Mean over the budget of the normalised true score; 0 before there is a policy."""
        task = GROUNDS[self.ground].task
        ends = np.linspace(0, task.n_steps, 201)[1:]
        steps = np.array([step for step, _ in self.curve])
        scores = np.array([0.0, *(task.normalised(score) for _, score in self.curve)])
        return float(scores[np.searchsorted(steps, ends, side="right")].mean())


class Ledger(LoopCallback):
    """Keeps the curve of a run."""

    def __init__(self, bench: Bench[OffPolicyAgent]) -> None:
        self._bench = bench

    def bind(self, loop: LoopHandle) -> None:
        self._registry = loop.registry

    def on_improvement(self, snapshot: PolicySnapshot) -> None:
        self._bench.new_incumbent(lambda agent: self._registry.load(snapshot, agent))


def run_one(record: Record) -> Record:
    """Run what the record names, and fill it in."""
    began = time.process_time()
    ground = GROUNDS[record.ground]
    make = ground.probing if record.condition == "probed" else ground.agent
    environment = look_up_environment(ground.task.env_id)

    def agent_with(rate: float) -> OffPolicyAgent:
        return make(
            environment.observation_space,
            environment.action_space,
            seed=record.seed,
            hyperparams=HyperparamSet({"learning_rate": rate, "batch_size": BATCH_SIZE}),
            hidden=HIDDEN,
        )

    agent = agent_with(ground.rate * STARTS[record.start])
    bench = Bench(ground.task, agent_with(ground.rate))
    reason = _train(agent, bench, CONDITIONS[record.condition](), record.seed)
    return replace(
        record,
        curve=bench.curve,
        final=bench.true_score(agent, FINAL_SEEDS),
        rate=float(agent.get_hyperparams().params["learning_rate"]),
        reason=reason,
        cpu_s=time.process_time() - began,
    )


def _train(
    agent: OffPolicyAgent, bench: Bench[OffPolicyAgent], options: dict[str, Any], seed: int
) -> str:
    """Train as `optix train` does but for these options; returns why the run ended."""
    settings = replace(LoopSettings(), **agent.loop_preferences())
    size = settings.window_size
    asked: dict[str, Any] = {**asdict(settings.scheduler()), **options}
    with tempfile.TemporaryDirectory() as directory:
        report = RLOptimizer(
            agent,
            BatchPipeline(bench.training_env(), window_size=size),
            val_pipeline=episode_pipeline(bench.task.env_id, settings.validation_episodes),
            checkpoint_dir=directory,
            max_episodes=bench.task.n_steps // size,
            callbacks=[Ledger(bench)],
            seed=seed,
            **asked,
        ).run()
    return report.stop_reason.value


def main() -> None:
    """Run what has no record yet, then print what there is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="1000-1004", help="first-last")
    parser.add_argument("--ground", nargs="+", choices=list(GROUNDS), default=list(GROUNDS))
    parser.add_argument("--start", nargs="+", choices=list(STARTS), default=list(STARTS))
    parser.add_argument(
        "--condition", nargs="+", choices=list(CONDITIONS), default=list(CONDITIONS)
    )
    parser.add_argument("--table", action="store_true", help="run nothing")
    arguments = parser.parse_args()
    one_thread()
    logging.getLogger("optix_core").setLevel(logging.ERROR)
    first, _, last = arguments.seeds.partition("-")
    wanted = [
        Record(ground=ground, start=start, condition=condition, seed=seed)
        for seed in range(int(first), int(last or first) + 1)
        for ground in arguments.ground
        for start in arguments.start
        for condition in arguments.condition
    ]
    if not arguments.table:
        run_missing(wanted)
    found = [record for record in (each.load() for each in wanted) if record is not None]
    write_table(HEADER, list(rows(found)))


def run_missing(wanted: Sequence[Record]) -> None:
    """Run each that has no record."""
    for record in wanted:
        if record.load() is None:
            done = run_one(record)
            done.save()
            sys.stdout.write(f"{done.path.stem}: {done.normalised:.3f} {done.cpu_s:.1f} CPU s\n")
            sys.stdout.flush()


HEADER = (
    "agent and task",
    "start",
    "condition",
    "runs",
    "solved",
    "final, mean",
    "area, mean",
    "area − fixed, paired",
    "step size handed back, median",
)
Group = Mapping[int, Record]
"""Runs by seed."""


def rows(records: Sequence[Record]) -> Iterator[list[object]]:
    """Yield a row for each ground, start and condition."""
    groups: dict[tuple[str, str, str], dict[int, Record]] = {}
    for record in records:
        groups.setdefault((record.ground, record.start, record.condition), {})[record.seed] = record
    for ground, start, condition in itertools.product(GROUNDS, STARTS, CONDITIONS):
        if runs := groups.get((ground, start, condition)):
            fixed = groups.get((ground, start, "fixed"), {})
            yield [ground, start, f"`{condition}`", *cells(runs, fixed)]


def cells(runs: Group, fixed: Group) -> Iterator[object]:
    """Yield the numbers of a row, whose runs are paired with those of `fixed` by seed."""
    finals = [run.normalised for run in runs.values()]
    yield len(runs)
    yield sum(each >= SOLVED for each in finals)
    yield f"{np.mean(finals):.3f}"
    yield f"{np.mean([run.area for run in runs.values()]):.3f}"
    gains = [run.area - fixed[seed].area for seed, run in runs.items() if seed in fixed]
    is_compared = bool(gains) and runs is not fixed
    yield str(bootstrap(pooled_mean, [np.array(gains)])) if is_compared else "–"
    yield f"{np.median([run.rate for run in runs.values()]):.2g}"


if __name__ == "__main__":
    main()
