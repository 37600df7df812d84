"""tensor-optix 0.6.1 on CartPole-v1, called by the benchmarks through `serve`."""

import importlib.metadata
import logging
import tempfile
from pathlib import Path
from typing import Any

import gymnasium
import tensorflow as tf

from benchmarks.harness.bare_loop import ENVIRONMENT, CyclingPolicy, loop_cpu_s
from benchmarks.harness.quick_start import quick_start_model, some_observations
from benchmarks.harness.serve import serve
from benchmarks.harness.timing import cpu_seconds, seconds
from tensor_optix import BatchPipeline, HyperparamSet, RLOptimizer, TFAgent
from tensor_optix.core.base_agent import BaseAgent
from tensor_optix.core.base_evaluator import BaseEvaluator
from tensor_optix.core.checkpoint_registry import CheckpointRegistry
from tensor_optix.core.types import EvalMetrics

HYPERPARAMS = {"learning_rate": 3e-4, "gamma": 0.99}


class SamplingAgent(TFAgent):
    """The library's eager model call and a draw from the logits, as in its README's example."""

    def act(self, observation: Any) -> int:
        logits = self.model(tf.expand_dims(tf.cast(observation, tf.float32), 0), training=False)
        return int(tf.random.categorical(logits, 1).numpy()[0, 0])


class TrivialAgent(BaseAgent):
    """Costs next to nothing, so that what is left is the library's own time."""

    def __init__(self) -> None:
        self._policy = CyclingPolicy()

    def act(self, observation: Any) -> int:
        return self._policy(observation)

    def learn(self, episode_data: Any) -> dict[str, float]:
        return {}

    def get_hyperparams(self) -> HyperparamSet:
        return HyperparamSet(params={}, episode_id=0)

    def set_hyperparams(self, hyperparams: HyperparamSet) -> None:
        pass

    def save_weights(self, path: str) -> None:
        Path(path).mkdir(exist_ok=True, parents=True)

    def load_weights(self, path: str) -> None:
        pass


class WindowReward(BaseEvaluator):
    """The cheapest evaluator that scores windows apart."""

    def score(self, episode_data: Any, train_diagnostics: dict[str, float]) -> EvalMetrics:
        return EvalMetrics(
            primary_score=float(sum(episode_data.dones)),
            metrics={},
            episode_id=episode_data.episode_id,
        )


def _agent(kind: type[TFAgent]) -> TFAgent:
    optimizer = tf.keras.optimizers.Adam(HYPERPARAMS["learning_rate"])
    return kind(
        model=quick_start_model(),
        optimizer=optimizer,
        hyperparams=HyperparamSet(params=dict(HYPERPARAMS), episode_id=0),
    )


class Peer:
    """Agents and a checkpoint directory that live as long as the worker."""

    def __init__(self, directory: Path) -> None:
        self._agents = {"sampling": _agent(SamplingAgent), "argmax": _agent(TFAgent)}
        self._observations = list(some_observations())
        self._weights = str(directory / "weights")
        self._registry = CheckpointRegistry(str(directory / "registry"))
        self._score = 0.0

    def act(self, kind: str, calls: int) -> float:
        """CPU seconds per `act()` of the agent that samples, or of the one as shipped: argmax."""
        agent, observations = self._agents[kind], self._observations

        def play() -> None:
            for index in range(calls):
                agent.act(observations[index % len(observations)])

        return cpu_seconds(play) / calls

    def rollout(self, n_steps: int) -> float:
        """CPU seconds per step of one `BatchPipeline` window with the sampling agent."""
        pipeline = BatchPipeline(
            env=gymnasium.make(ENVIRONMENT), agent=self._agents["sampling"], window_size=n_steps
        )
        windows = iter(pipeline.episodes())
        return cpu_seconds(lambda: next(windows)) / n_steps

    def save_weights(self) -> dict[str, float]:
        """Seconds of the agent's save."""
        return seconds(lambda: self._agents["argmax"].save_weights(self._weights))

    def load_weights(self) -> dict[str, float]:
        """Seconds of the agent's load of what was saved last."""
        return seconds(lambda: self._agents["argmax"].load_weights(self._weights))

    def save_snapshot(self) -> dict[str, float]:
        """Seconds of a save through the registry, each better than the one before."""
        self._score += 1.0
        metrics = EvalMetrics(primary_score=self._score, metrics={}, episode_id=0)
        hyperparams = HyperparamSet(params=dict(HYPERPARAMS), episode_id=0)
        return seconds(lambda: self._registry.save(self._agents["argmax"], metrics, hyperparams))

    def load_snapshot(self) -> dict[str, float]:
        """Seconds of `load_best`."""
        return seconds(lambda: self._registry.load_best(self._agents["argmax"]))


def bare(n_steps: int) -> float:
    """CPU seconds per step of the trivial agent without any library."""
    return loop_cpu_s(TrivialAgent().act, n_steps)


def pipeline(n_steps: int, window_size: int) -> float:
    """CPU seconds per step of the trivial agent in `BatchPipeline`."""
    windows = iter(
        BatchPipeline(
            env=gymnasium.make(ENVIRONMENT), agent=TrivialAgent(), window_size=window_size
        ).episodes()
    )
    n_windows = n_steps // window_size

    def collect() -> None:
        for _ in range(n_windows):
            next(windows)

    return cpu_seconds(collect) / (n_windows * window_size)


def whole_run(n_steps: int, window_size: int) -> float:
    """CPU seconds per step of a run with the trivial agent."""
    n_windows = n_steps // window_size
    agent = TrivialAgent()
    with tempfile.TemporaryDirectory() as directory:
        windows = BatchPipeline(
            env=gymnasium.make(ENVIRONMENT), agent=agent, window_size=window_size
        )
        optimizer = RLOptimizer(
            agent=agent,
            pipeline=windows,
            evaluator=WindowReward(),
            checkpoint_dir=directory,
            max_episodes=n_windows,
        )
        return cpu_seconds(optimizer.run) / (n_windows * window_size)


def describe() -> dict[str, str]:
    """Versions of this environment."""
    return {
        name: importlib.metadata.version(name)
        for name in ("tensor-optix", "tensorflow", "keras", "numpy", "gymnasium")
    }


def main() -> None:
    """Serve until the benchmark closes its end."""
    logging.getLogger("tensor_optix").setLevel(
        logging.ERROR
    )  # it warns of a degradation at almost every window
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    with tempfile.TemporaryDirectory() as directory:
        peer = Peer(Path(directory))
        serve(
            {
                "describe": describe,
                "act": peer.act,
                "rollout": peer.rollout,
                "save_weights": peer.save_weights,
                "load_weights": peer.load_weights,
                "save_snapshot": peer.save_snapshot,
                "load_snapshot": peer.load_snapshot,
                "bare": bare,
                "pipeline": pipeline,
                "whole_run": whole_run,
            }
        )


if __name__ == "__main__":
    main()
