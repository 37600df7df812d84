"""tensor-optix 0.6.1 on CartPole-v1, called by the benchmarks through `serve`."""

import os
import tempfile
import time
from pathlib import Path
from typing import Any

import gymnasium
import tensorflow as tf
from tensor_optix import BatchPipeline, HyperparamSet, RLOptimizer, TFAgent
from tensor_optix.core.base_agent import BaseAgent
from tensor_optix.core.base_evaluator import BaseEvaluator
from tensor_optix.core.checkpoint_registry import CheckpointRegistry
from tensor_optix.core.types import EvalMetrics

from benchmarks.harness.bare_loop import ENVIRONMENT, CyclingPolicy, loop_cpu_s
from benchmarks.harness.quick_start import quick_start_model, some_observations
from benchmarks.harness.serve import serve

HYPERPARAMS = {"learning_rate": 3e-4, "gamma": 0.99}


class SamplingAgent(TFAgent):
    """The library's eager model call, with a draw from the logits in place of its argmax, as its README's PPO example acts."""

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
        os.makedirs(path, exist_ok=True)

    def load_weights(self, path: str) -> None:
        pass


class WindowReward(BaseEvaluator):
    """The cheapest evaluator that scores windows apart."""

    def score(self, episode_data: Any, train_diagnostics: dict[str, float]) -> EvalMetrics:
        return EvalMetrics(primary_score=float(sum(episode_data.dones)), metrics={}, episode_id=episode_data.episode_id)


def _agent(kind: type[TFAgent]) -> TFAgent:
    optimizer = tf.keras.optimizers.Adam(HYPERPARAMS["learning_rate"])
    return kind(model=quick_start_model(), optimizer=optimizer, hyperparams=HyperparamSet(params=dict(HYPERPARAMS), episode_id=0))


class Peer:
    """Agents and a checkpoint directory that live as long as the worker."""

    def __init__(self, directory: Path) -> None:
        self._agents = {"sampling": _agent(SamplingAgent), "argmax": _agent(TFAgent)}
        self._observations = some_observations()
        self._weights = str(directory / "weights")
        self._registry = CheckpointRegistry(str(directory / "registry"))
        self._score = 0.0

    def act(self, kind: str, calls: int) -> float:
        """CPU seconds per `act()` of the agent that samples, or of the one as shipped, which takes the argmax."""
        agent, observations = self._agents[kind], self._observations
        began = time.process_time()
        for index in range(calls):
            agent.act(observations[index % len(observations)])
        return (time.process_time() - began) / calls

    def rollout(self, n_steps: int) -> float:
        """CPU seconds per step of one `BatchPipeline` window with the sampling agent."""
        pipeline = BatchPipeline(env=gymnasium.make(ENVIRONMENT), agent=self._agents["sampling"], window_size=n_steps)
        began = time.process_time()
        next(iter(pipeline.episodes()))
        return (time.process_time() - began) / n_steps

    def save_weights(self) -> dict[str, float]:
        """Seconds of the agent's save."""
        return _seconds(lambda: self._agents["argmax"].save_weights(self._weights))

    def load_weights(self) -> dict[str, float]:
        """Seconds of the agent's load of what was saved last."""
        return _seconds(lambda: self._agents["argmax"].load_weights(self._weights))

    def save_snapshot(self) -> dict[str, float]:
        """Seconds of a save through the registry, each better than the one before."""
        self._score += 1.0
        metrics = EvalMetrics(primary_score=self._score, metrics={}, episode_id=0)
        hyperparams = HyperparamSet(params=dict(HYPERPARAMS), episode_id=0)
        return _seconds(lambda: self._registry.save(self._agents["argmax"], metrics, hyperparams))

    def load_snapshot(self) -> dict[str, float]:
        """Seconds of `load_best`."""
        return _seconds(lambda: self._registry.load_best(self._agents["argmax"]))


def bare(n_steps: int) -> float:
    """CPU seconds per step of the trivial agent without any library."""
    return loop_cpu_s(TrivialAgent().act, n_steps)


def pipeline(n_steps: int, window_size: int) -> float:
    """CPU seconds per step of the trivial agent in `BatchPipeline`."""
    windows = iter(BatchPipeline(env=gymnasium.make(ENVIRONMENT), agent=TrivialAgent(), window_size=window_size).episodes())
    n_windows = n_steps // window_size
    began = time.process_time()
    for _ in range(n_windows):
        next(windows)
    return (time.process_time() - began) / (n_windows * window_size)


def whole_run(n_steps: int, window_size: int) -> float:
    """CPU seconds per step of a run with the trivial agent."""
    n_windows = n_steps // window_size
    agent = TrivialAgent()
    with tempfile.TemporaryDirectory() as directory:
        windows = BatchPipeline(env=gymnasium.make(ENVIRONMENT), agent=agent, window_size=window_size)
        optimizer = RLOptimizer(
            agent=agent, pipeline=windows, evaluator=WindowReward(), checkpoint_dir=directory, max_episodes=n_windows
        )
        began = time.process_time()
        optimizer.run()
        return (time.process_time() - began) / (n_windows * window_size)


def _seconds(action: Any) -> dict[str, float]:
    cpu_began, wall_began = time.process_time(), time.perf_counter()
    action()
    return {"cpu_s": time.process_time() - cpu_began, "wall_s": time.perf_counter() - wall_began}


def describe() -> dict[str, str]:
    """Versions of this environment."""
    import importlib.metadata

    return {name: importlib.metadata.version(name) for name in ("tensor-optix", "tensorflow", "keras", "numpy", "gymnasium")}


def main() -> None:
    """Serve until the benchmark closes its end."""
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
