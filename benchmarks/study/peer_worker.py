"""A run of tensor-optix's own loop, in the peer's environment, training the study's agent.

The peer gets what is ours where it fails by itself: true windows, and the mean return of finished
episodes for a score (its default cannot tell a good CartPole policy from a bad one).
"""

import logging
import math
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "packages" / "optix-core" / "src"))

from benchmarks.harness.serve import serve  # noqa: E402
from benchmarks.study.agents import NumpyPPO, make_agent  # noqa: E402
from benchmarks.study.bench import FINAL_SEEDS, Bench  # noqa: E402
from benchmarks.study.starts import BOUNDS, starting_params  # noqa: E402
from benchmarks.study.tasks import TASKS, WINDOW_STEPS  # noqa: E402
from optix_core import HyperparamSet, SimplePipeline  # noqa: E402
from tensor_optix import BackoffOptimizer, PBTOptimizer  # noqa: E402
from tensor_optix.core.base_agent import BaseAgent  # noqa: E402
from tensor_optix.core.base_evaluator import BaseEvaluator  # noqa: E402
from tensor_optix.core.base_pipeline import BasePipeline  # noqa: E402
from tensor_optix.core.loop_controller import LoopCallback  # noqa: E402
from tensor_optix.core.types import EpisodeData, EvalMetrics  # noqa: E402
from tensor_optix.core.types import HyperparamSet as PeerHyperparamSet  # noqa: E402
from tensor_optix.optimizer import RLOptimizer  # noqa: E402

TUNERS = {"backoff": BackoffOptimizer, "pbt": PBTOptimizer}


class Agent(BaseAgent):
    """The study's agent behind the peer's contract."""

    def __init__(self, inner: NumpyPPO) -> None:
        self._inner = inner
        self.act = inner.act

    def act(self, observation: Any) -> Any:
        return self._inner.act(observation)

    def learn(self, episode_data: EpisodeData) -> dict[str, Any]:
        return self._inner.learn(episode_data.metadata["window"])

    def get_hyperparams(self) -> PeerHyperparamSet:
        params = self._inner.get_hyperparams().params
        return PeerHyperparamSet(params={name: params[name] for name in BOUNDS}, episode_id=0)

    def set_hyperparams(self, hyperparams: PeerHyperparamSet) -> None:
        moved = {
            name: min(max(float(hyperparams.params[name]), low), high)
            for name, (low, high) in BOUNDS.items()
            if math.isfinite(float(hyperparams.params[name]))
        }
        self._inner.set_hyperparams(HyperparamSet(self._inner.get_hyperparams().params | moved))

    def save_weights(self, path: str) -> None:
        self._inner.save_weights(path)

    def load_weights(self, path: str) -> None:
        self._inner.load_weights(path)


class Windows(BasePipeline):
    """The study's windows, behind the peer's contract."""

    def __init__(self, inner: SimplePipeline) -> None:
        self._inner = inner

    def setup(self) -> None:
        self._inner.setup()

    def episodes(self) -> Iterator[EpisodeData]:
        for window_id, window in enumerate(self._inner.episodes()):
            yield EpisodeData(
                observations=window.observations,
                actions=window.actions,
                rewards=window.rewards.tolist(),
                terminated=window.terminated.tolist(),
                truncated=window.truncated.tolist(),
                infos=[],
                episode_id=window_id,
                metadata={"window": window},
            )

    def teardown(self) -> None:
        self._inner.teardown()

    @property
    def is_live(self) -> bool:
        return False


class MeanReturn(BaseEvaluator):
    """Scores a window by the mean return of its finished episodes; none repeats the last score."""

    def __init__(self) -> None:
        self._last = -math.inf

    def score(self, episode_data: EpisodeData, train_diagnostics: dict[str, Any]) -> EvalMetrics:
        returns = episode_data.metadata["window"].episode_returns
        if len(returns):
            self._last = float(returns.mean())
        score = self._last if math.isfinite(self._last) else -1e6
        return EvalMetrics(primary_score=score, metrics={}, episode_id=episode_data.episode_id)


class Ledger(LoopCallback):
    """Keeps the curve and ends the run when the budget is spent."""

    def __init__(self, bench: Bench[NumpyPPO]) -> None:
        self._bench = bench
        self.stop = lambda: None

    def on_improvement(self, snapshot: Any) -> None:
        self._bench.new_incumbent(lambda agent: agent.load_weights(snapshot.weights_path))

    def on_episode_end(self, episode_id: int, eval_metrics: EvalMetrics | None) -> None:
        if eval_metrics is not None:
            point = (self._bench.counter.steps, eval_metrics.primary_score)
            self._bench.window_scores.append(point)
        if self._bench.is_spent:
            self.stop()


def run(task: str, start: str, seed: int, tuner: str, *, has_bounds: bool) -> dict[str, Any]:
    """Run the peer's loop once; returns the fields of a record."""
    played = TASKS[task]
    bench = Bench(played, make_agent(played, {}, 0))
    agent = make_agent(played, starting_params(start, played, seed), seed)
    pipeline = SimplePipeline(bench.training_env(), agent, window_size=WINDOW_STEPS)
    pipeline.seed(seed)
    ledger = Ledger(bench)
    with tempfile.TemporaryDirectory() as directory:
        optimizer = RLOptimizer(
            agent=Agent(agent),
            pipeline=Windows(pipeline),
            evaluator=MeanReturn(),
            optimizer=TUNERS[tuner](param_bounds=BOUNDS if has_bounds else None),
            checkpoint_dir=directory,
            max_interval_episodes=1,
            callbacks=[ledger],
        )
        ledger.stop = optimizer.stop
        optimizer.run()
        best = optimizer.best_snapshot
        if best is not None and Path(best.weights_path).exists():
            agent.load_weights(best.weights_path)
    return {
        "curve": bench.curve,
        "final": bench.true_score(agent, FINAL_SEEDS),
        "steps": bench.counter.steps,
        "reason": "the budget is spent",
        "window_scores": bench.window_scores,
    }


def main() -> None:
    """Serve until the study closes its end."""
    logging.getLogger("tensor_optix").setLevel(logging.ERROR)
    serve({"run": run})


if __name__ == "__main__":
    main()
