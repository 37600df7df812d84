"""Optix's side of the comparisons, called by the benchmarks through `serve` as the peers are."""

import importlib.metadata
import itertools
import tempfile
from pathlib import Path
from typing import Any

import gymnasium

from benchmarks.harness.bare_loop import ENVIRONMENT, CyclingPolicy, loop_cpu_s
from benchmarks.harness.quick_start import quick_start_model, some_observations
from benchmarks.harness.serve import serve
from benchmarks.harness.timing import cpu_seconds, seconds
from benchmarks.optix_ppo import Throughput
from benchmarks.optix_sac import SACThroughput
from optix_core import (
    BaseAgent,
    CheckpointRegistry,
    EpisodeData,
    EvalMetrics,
    HyperparamSet,
    RLOptimizer,
)
from optix_pipelines import BatchPipeline
from optix_tf import TFAgent
from optix_tf._tensorflow import keras, tf

HYPERPARAMS = {"learning_rate": 3e-4, "gamma": 0.99}


class TrivialAgent(BaseAgent):
    """Costs next to nothing, so that what is left is the library's own time."""

    def __init__(self) -> None:
        self._policy = CyclingPolicy()

    def act(self, observation: Any) -> int:
        return self._policy(observation)

    def learn(self, episode_data: EpisodeData) -> dict[str, Any]:
        return {}

    def get_hyperparams(self) -> HyperparamSet:
        return HyperparamSet(params={})

    def set_hyperparams(self, hp: HyperparamSet) -> None:
        pass

    def save_weights(self, path: str) -> None:
        Path(path).write_bytes(b"0")

    def load_weights(self, path: str) -> None:
        pass


class Inference:
    """The Quick Start agent, and where its snapshots go."""

    def __init__(self, directory: Path) -> None:
        optimizer = keras.optimizers.Adam(HYPERPARAMS["learning_rate"])
        self._agent = TFAgent(
            model=quick_start_model(),
            optimizer=optimizer,
            hyperparams=HyperparamSet(params=dict(HYPERPARAMS)),
            seed=0,
        )
        self._observations = list(some_observations())
        self._directory = directory
        self._registry = CheckpointRegistry(directory / "registry")
        self._saved = itertools.count(1)
        self._last_saved = 0

    def act(self, calls: int) -> float:
        """CPU seconds per `act()`, which samples."""
        act, observations = self._agent.act, self._observations

        def play() -> None:
            for index in range(calls):
                act(observations[index % len(observations)])

        return cpu_seconds(play) / calls

    def rollout(self, n_steps: int) -> float:
        """CPU seconds per step of one `BatchPipeline` window."""
        env: gymnasium.Env[Any, Any] = gymnasium.make(ENVIRONMENT)
        pipeline = BatchPipeline(env=env, agent=self._agent, window_size=n_steps)
        pipeline.setup()
        windows = iter(pipeline.episodes())
        return cpu_seconds(lambda: next(windows)) / n_steps

    def save_weights(self) -> dict[str, float]:
        """Seconds of the agent's own save: weights and optimizer slots."""
        self._last_saved = next(self._saved)
        return seconds(lambda: self._agent.save_weights(str(self._weights())))

    def load_weights(self) -> dict[str, float]:
        """Seconds of the agent's load of what was saved last."""
        return seconds(lambda: self._agent.load_weights(str(self._weights())))

    def save_snapshot(self) -> dict[str, float]:
        """Seconds of a durable save through the registry, each better than the one before."""
        metrics = EvalMetrics(float(next(self._saved)))
        hyperparams = self._agent.get_hyperparams()
        return seconds(lambda: self._registry.save(self._agent, metrics, hyperparams))

    def load_snapshot(self) -> dict[str, float]:
        """Seconds of `load_best`."""
        return seconds(lambda: self._registry.load_best(self._agent))

    def _weights(self) -> Path:
        return self._directory / f"weights-{self._last_saved}"


def bare(n_steps: int) -> float:
    """CPU seconds per step of the trivial agent without any library."""
    return loop_cpu_s(TrivialAgent().act, n_steps)


def pipeline(n_steps: int, window_size: int) -> float:
    """CPU seconds per step of the trivial agent in `BatchPipeline`."""
    n_windows = n_steps // window_size
    collector = _pipeline(TrivialAgent(), window_size)
    collector.setup()
    windows = iter(collector.episodes())

    def collect() -> None:
        for _ in range(n_windows):
            next(windows)

    return cpu_seconds(collect) / (n_windows * window_size)


def whole_run(n_steps: int, window_size: int) -> float:
    """CPU seconds per step of a run with the trivial agent: journal, snapshots and scores too."""
    n_windows = n_steps // window_size
    agent = TrivialAgent()
    with tempfile.TemporaryDirectory() as directory:
        optimizer = RLOptimizer(
            agent,
            _pipeline(agent, window_size),
            checkpoint_dir=directory,
            max_episodes=n_windows,
            dormant_threshold=n_windows,
            seed=0,
        )
        return cpu_seconds(optimizer.run) / (n_windows * window_size)


def _pipeline(agent: BaseAgent, window_size: int) -> BatchPipeline:
    env: gymnasium.Env[Any, Any] = gymnasium.make(ENVIRONMENT)
    return BatchPipeline(env=env, agent=agent, window_size=window_size)


def describe() -> dict[str, str]:
    """Versions of this environment."""
    names = ("optix-core", "optix-tf", "tensorflow", "keras", "numpy", "gymnasium")
    return {name: importlib.metadata.version(name) for name in names}


def main() -> None:
    """Serve until the benchmark closes its end."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    with tempfile.TemporaryDirectory() as directory:
        inference = Inference(Path(directory))
        throughput, sac = Throughput(), SACThroughput()
        serve(
            {
                "describe": describe,
                "act": inference.act,
                "rollout": inference.rollout,
                "save_weights": inference.save_weights,
                "load_weights": inference.load_weights,
                "save_snapshot": inference.save_snapshot,
                "load_snapshot": inference.load_snapshot,
                "bare": bare,
                "pipeline": pipeline,
                "whole_run": whole_run,
                "open_throughput": throughput.open,
                "iterate_throughput": throughput.iterate,
                "open_sac": sac.open,
                "iterate_sac": sac.iterate,
            }
        )


if __name__ == "__main__":
    main()
