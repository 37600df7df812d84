"""CPU time inside journal and state writing as a share of a run, and a snapshot against Keras' own.

Two runs: PPO with its defaults on CartPole-v1 in windows of 8 × 256 steps, once with compilation
and once without the windows in which it happens; and a NumPy agent on one environment in windows
of 2,048 steps. Everything that `StateKeeper` and `Journal` do counts, syncs included. Then a
durable registry save of that PPO agent against `model.save("….keras")`, which leaves weights and
optimizer to the cache. Last, a durable save of a state with a replay memory of 100,000 rows, of
which 1,000 are new: rows added to files, against all in one file.

Run: `uv run --group bench python -m benchmarks.safety_cost`
"""

import argparse
import functools
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from benchmarks.harness import Goal, Variant, interleave, one_thread, write_table
from benchmarks.harness.timing import cpu_seconds
from optix_core import (
    BaseAgent,
    CheckpointRegistry,
    EpisodeData,
    EvalMetrics,
    HyperparamSet,
    LoopCallback,
    RLOptimizer,
    SimplePipeline,
)
from optix_core.journal import Journal
from optix_core.replay_extent import ReplayExtent
from optix_core.state_keeper import StateKeeper
from optix_core.state_store import StateStore
from optix_core.weights_file import load_arrays, save_arrays
from optix_pipelines import BatchPipeline, EpisodePipeline, make_vector
from optix_tf import PPOAgent
from optix_tf.replay_ring import ReplayRing

PPO_GOAL, NUMPY_GOAL, SNAPSHOT_GOAL = Goal(0.03, at_most=True), Goal(0.10, at_most=True), Goal(3)
WARM_UP_WINDOWS = 5


class SafetyMeter:
    """CPU seconds inside of the methods that it wraps; a call within a call counts once."""

    def __init__(self) -> None:
        self.spent_s = 0.0
        self._depth = 0

    def wrap(self, method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def timed(*args: Any, **kwargs: Any) -> Any:
            began = time.process_time()
            self._depth += 1
            try:
                return method(*args, **kwargs)
            finally:
                self._depth -= 1
                if not self._depth:
                    self.spent_s += time.process_time() - began

        return timed


@contextmanager
def metered() -> Generator[SafetyMeter]:
    """Measure all journals and state keepers inside of the block."""
    meter = SafetyMeter()
    methods: list[tuple[type, str]] = [
        (Journal, "append"),
        (Journal, "sync"),
        (StateKeeper, "save"),
        (StateKeeper, "save_if_cheap"),
    ]
    before = [(kind, name, getattr(kind, name)) for kind, name in methods]
    for kind, name, method in before:
        setattr(kind, name, meter.wrap(method))
    try:
        yield meter
    finally:
        for kind, name, method in before:
            setattr(kind, name, method)


class Stopwatch(LoopCallback):
    """Notes total and metered CPU time once the first windows are over, and at the end."""

    def __init__(self, meter: SafetyMeter) -> None:
        self.meter = meter
        self.readings: list[tuple[float, float]] = []

    def on_episode_end(self, window_id: int, metrics: EvalMetrics | None) -> None:
        if window_id in (0, WARM_UP_WINDOWS):
            self.readings.append((time.process_time(), self.meter.spent_s))

    def on_loop_stop(self) -> None:
        self.readings.append((time.process_time(), self.meter.spent_s))

    def share(self, *, from_reading: int) -> float:
        """Metered CPU time by total CPU time."""
        (began, spent_before), (ended, spent) = self.readings[from_reading], self.readings[-1]
        return (spent - spent_before) / (ended - began)


class LinearAgent(BaseAgent):
    """The cheapest agent that learns: one matrix, one product a window."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)
        self.weights = {"kernel": np.zeros((4, 2))}

    def act(self, observation: Any) -> int:
        return int(self.rng.random() < 0.5)

    def learn(self, episode_data: EpisodeData) -> dict[str, Any]:
        lean = np.eye(2)[episode_data.actions] - 0.5
        self.weights["kernel"] += 1e-3 * episode_data.observations.T @ lean
        return {"norm": float(np.abs(self.weights["kernel"]).sum())}

    def get_hyperparams(self) -> HyperparamSet:
        return HyperparamSet({"learning_rate": 1e-3})

    def set_hyperparams(self, hp: HyperparamSet) -> None:
        """Keep what there is."""

    def save_weights(self, path: str) -> None:
        save_arrays(path, self.weights)

    def load_weights(self, path: str) -> None:
        self.weights = load_arrays(path, self.weights)

    def state_dict(self) -> dict[str, Any]:
        """Return the generator's state."""
        return {"rng": self.rng.bit_generator.state}

    def load_state_dict(self, state: Any) -> None:
        """Put the generator back."""
        self.rng.bit_generator.state = state["rng"]


def ppo_agent() -> PPOAgent:
    """A PPO agent with its defaults."""
    env = gymnasium.make("CartPole-v1")
    return PPOAgent.for_spaces(env.observation_space, env.action_space, seed=0)


def run(agent: BaseAgent, pipeline: Any, windows: int, val_pipeline: Any = None) -> Stopwatch:
    """Run so many windows in a fresh directory, measured."""
    with tempfile.TemporaryDirectory() as folder, metered() as meter:
        watch = Stopwatch(meter)
        RLOptimizer(
            agent,
            pipeline,
            val_pipeline=val_pipeline,
            checkpoint_dir=Path(folder) / "run",
            max_episodes=windows,
            dormant_threshold=10**6,
            callbacks=[watch],
            seed=0,
            plateau_test=False,
        ).run()
    return watch


def run_ppo(windows: int) -> Stopwatch:
    """PPO on CartPole-v1 as `optix train` runs it."""
    pipeline = BatchPipeline(make_vector("CartPole-v1", 8), window_size=256)
    validation = EpisodePipeline(make_vector("CartPole-v1", 30), n_episodes=30)
    return run(ppo_agent(), pipeline, windows, validation)


def run_numpy(windows: int) -> Stopwatch:
    """The cheapest agent in windows of 2,048 steps."""
    pipeline = SimplePipeline(gymnasium.make("CartPole-v1"), window_size=2_048)
    return run(LinearAgent(), pipeline, windows)


def snapshot_variants(folder: Path) -> list[Variant]:
    """A durable save by the registry, and Keras' own of the same model with its optimizer."""
    agent = ppo_agent()
    agent.act(np.zeros(4, np.float32))
    registry = CheckpointRegistry(folder / "registry")
    metrics, hyperparams = EvalMetrics(1.0), agent.get_hyperparams()
    agent.model.compile(optimizer=agent.optimizer)
    keras_path = str(folder / "model.keras")

    def seconds(clock: Callable[[], float], action: Callable[[], object]) -> float:
        began = clock()
        action()
        return clock() - began

    def save_optix() -> object:
        return registry.save(agent, metrics, hyperparams)

    def save_keras() -> object:
        return agent.model.save(keras_path)

    return [
        Variant("Optix cpu", lambda: cpu_seconds(save_optix)),
        Variant("Keras cpu", lambda: cpu_seconds(save_keras)),
        Variant("Optix wall", lambda: seconds(time.perf_counter, save_optix)),
        Variant("Keras wall", lambda: seconds(time.perf_counter, save_keras)),
    ]


class FullMemory:
    """100,000 transitions of 17 numbers and 6 actions, all of which have been overwritten once."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)
        self.ring = ReplayRing(100_000)
        self.add(200_000)

    def add(self, n_rows: int) -> None:
        """Append so many transitions."""
        widths = {"observation": 17, "action": 6, "next_observation": 17}
        drawn = {n: self.rng.random((n_rows, w), np.float32) for n, w in widths.items()}
        self.ring.append({**drawn, "reward": self.rng.random(n_rows), "discount": np.ones(n_rows)})

    def replay_extent(self) -> ReplayExtent | None:
        """Say which rows are held."""
        return self.ring.extent

    def replay_rows(self, start: int, end: int) -> dict[str, Any]:
        """Return rows."""
        return self.ring.rows(start, end)

    def state_without_replay(self) -> dict[str, Any]:
        """Return how many rows there ever were."""
        return {"appended": self.ring.appended}

    def load_with_replay(self, state: Any, rows: Any) -> None:
        """Put rows back."""
        appended = state["appended"]
        columns = self.ring.laid(rows, appended)
        self.ring.load_state_dict({"appended": appended, "columns": columns})


def replay_variants(folder: Path) -> list[Variant]:
    """Saves of a memory with 1,000 new rows, those alone or all of them."""
    memory = FullMemory()
    by_rows, whole = StateStore(folder / "rows"), StateStore(folder / "whole")

    def save_rows() -> None:
        by_rows.save(memory.state_without_replay(), lambda folder: None, memory)

    def save_whole() -> None:
        whole.save(memory.ring.state_dict(), lambda folder: None)

    def cpu_of(save: Callable[[], None]) -> float:
        save_rows()  # what was added for the other variant
        memory.add(1_000)
        return cpu_seconds(save)

    return [
        Variant("all rows", lambda: cpu_of(save_whole)),
        Variant("new rows", lambda: cpu_of(save_rows)),
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ppo-windows", type=int, default=60)
    parser.add_argument("--numpy-windows", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=30)
    arguments = parser.parse_args()
    one_thread()
    ppo, numpy = run_ppo(arguments.ppo_windows), run_numpy(arguments.numpy_windows)
    shares = [
        ("PPO run, compilation included", ppo.share(from_reading=0), PPO_GOAL),
        ("PPO run, compilation left out", ppo.share(from_reading=1), PPO_GOAL),
        ("NumPy agent, windows of 2,048 steps", numpy.share(from_reading=1), NUMPY_GOAL),
    ]
    rows = [[what, f"{share:.4f}", goal.verdict(share)] for what, share, goal in shares]
    write_table(["journal and state", "share of the run's CPU time", "goal"], rows)
    with tempfile.TemporaryDirectory() as folder:
        samples = interleave(
            snapshot_variants(Path(folder)), rounds=arguments.rounds, warm_up_rounds=3
        )
    lines: list[list[str]] = []
    for clock in ("cpu", "wall"):
        ours, theirs = (float(np.median(samples[f"{side} {clock}"])) for side in ("Optix", "Keras"))
        ratio = theirs / ours
        figures = [f"{1e3 * ours:.2f}", f"{1e3 * theirs:.2f}", f"{ratio:.2f}"]
        lines.append([clock, *figures, SNAPSHOT_GOAL.verdict(ratio)])
    header = ["snapshot of PPO", "durable, Optix, ms", ".keras, ms", "ratio", "goal"]
    write_table(header, lines)
    with tempfile.TemporaryDirectory() as folder:
        samples = interleave(
            replay_variants(Path(folder)), rounds=arguments.rounds, warm_up_rounds=1
        )
    whole, new = (1e3 * float(np.median(samples[name])) for name in ("all rows", "new rows"))
    figures = [f"{new:.2f}", f"{whole:.2f}", f"{whole / new:.1f}"]
    write_table(
        ["state with 100,000 rows", "1,000 new rows, cpu ms", "all rows, cpu ms", "ratio"],
        [["durable save", *figures]],
    )


if __name__ == "__main__":
    main()
