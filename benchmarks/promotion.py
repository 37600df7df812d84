"""What promotion by evidence does to luck: false promotions, bias and power, on simulated returns.

A policy is a mean; returns are normal with sd 1, drawn anew for every window and every fresh
sample, of which those on one seed correlate by `--rho`. The policy of the first window is the best.

- **False promotions** and **bias**: the policy never changes. How often is it promoted again, and
  by how much is the best's reported score above the truth after 50 windows?
- **Power**: after the first window the policy is better by half an sd, or by one. Is that promoted
  within 15 windows?

Run: `uv run python -m benchmarks.promotion`
"""

import argparse
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness import write_table
from optix_core import (
    BaseAgent,
    BasePipeline,
    EpisodeData,
    EvalMetrics,
    InlineExecutor,
    ReturnEvaluator,
    Workbench,
)
from optix_core.branch_stage import BranchStage
from optix_core.branch_store import BranchStore
from optix_core.inline_executor import SeatedPolicies
from optix_core.promotion import FRESH_EPISODES, SMOOTHING, Promotion
from optix_core.standing import Standing
from optix_core.steering_seat import SteeringSeat
from optix_core.testing import FakeAgent
from optix_core.unit_examiner import UnitExaminer
from optix_core.window_judge import WindowJudge

FROZEN_WINDOWS = 50
POWER_WINDOWS = 15
RULES = ("the score alone", "windows alone, mean of five", "fresh episodes")
Z_95 = 1.96


class NormalEpisodes(BasePipeline):
    """Fresh episodes of a policy with this mean; one part of the noise belongs to the seed."""

    def __init__(self, rng: np.random.Generator, rho: float) -> None:
        self.mean = 0.0
        self._rng = rng
        self._rho = rho
        self._of_seed = rng.normal(size=FRESH_EPISODES)

    def setup(self) -> None:
        """Nothing to open."""

    def teardown(self) -> None:
        """Nothing to close."""

    def set_agent(self, agent: BaseAgent) -> None:
        """Nobody acts."""

    def episodes(self) -> Iterator[EpisodeData]:
        """No windows: they are drawn as metrics."""
        return iter(())

    def play_episodes(self, seeds: Sequence[int]) -> EpisodeData:
        """One step an episode."""
        own = self._rng.normal(size=len(seeds))
        noise = math.sqrt(self._rho) * self._of_seed + math.sqrt(1.0 - self._rho) * own
        return _one_step_episodes(self.mean + noise)


def _one_step_episodes(returns: NDArray[np.float64]) -> EpisodeData:
    nothing = np.zeros((len(returns), 1))
    return EpisodeData(
        observations=nothing,
        actions=np.zeros(len(returns)),
        rewards=returns,
        terminated=np.ones(len(returns), dtype=np.bool_),
        truncated=np.zeros(len(returns), dtype=np.bool_),
        next_observations=nothing,
        infos=[dict[str, Any]() for _ in returns],
        episode_id=0,
    )


@dataclass
class Run:
    """One simulated run."""

    promotion: Promotion
    pipeline: NormalEpisodes
    judge: WindowJudge
    rng: np.random.Generator
    n_episodes: int
    best: Standing | None = None
    recent: list[EvalMetrics] = field(default_factory=list[EvalMetrics])

    @classmethod
    def of(cls, rule: str, seed: int, n_episodes: int, rho: float) -> "Run":
        """Begin a run under one of the rules."""
        rng = np.random.default_rng(seed)
        pipeline = NormalEpisodes(rng, rho)
        can_play = rule == RULES[2]
        judge = _judge(pipeline if can_play else None)
        promotion = Promotion(judge, seed=seed, margin=0.0, confirm=rule != RULES[0])
        return cls(promotion, pipeline, judge, rng, n_episodes)

    def window(self, mean: float) -> bool:
        """Hold one window of a policy with this mean; returns whether it was promoted."""
        self.pipeline.mean = mean
        returns = mean + self.rng.normal(size=self.n_episodes)
        se = float(np.std(returns, ddof=1)) / math.sqrt(self.n_episodes)
        metrics = EvalMetrics(
            float(np.mean(returns)), {"n_episodes": self.n_episodes, "score_se": se}
        )
        trial = self.promotion.hold(metrics, self.best, self.recent, agent=FakeAgent())
        self.recent = [*self.recent, metrics][-SMOOTHING:]
        if trial.is_better:
            self.best = trial.standing
        return trial.is_better

    @property
    def reported(self) -> float:
        """What the best is held to score."""
        return math.nan if self.best is None else self.best.metrics.primary_score


def _judge(pipeline: NormalEpisodes | None) -> WindowJudge:
    """A judge whose fresh episodes the pipeline plays, as in a run without an executor."""
    evaluator, agent = ReturnEvaluator(), FakeAgent()
    if pipeline is None:
        return WindowJudge(evaluator, None, 1)
    bench = Workbench(
        agent=agent,
        stage=BranchStage(pipeline, pipeline, play=lambda: None, validation_seed=0),
        evaluator=evaluator,
        store=BranchStore(Path("never made"), SteeringSeat(None)),
    )
    examiner = UnitExaminer(InlineExecutor(bench), SeatedPolicies())
    return WindowJudge(evaluator, pipeline, 1, examine_seated=examiner.examine)


def frozen(rule: str, seed: int, n_episodes: int, rho: float) -> tuple[float, float, float]:
    """False promotions per 100 windows, bias in sd, fresh episodes per 100 windows."""
    run = Run.of(rule, seed, n_episodes, rho)
    run.window(0.0)
    baseline_episodes = run.judge.validation_steps
    false = sum(run.window(0.0) for _ in range(FROZEN_WINDOWS))
    per_100 = 100.0 / FROZEN_WINDOWS
    episodes = run.judge.validation_steps - baseline_episodes
    return per_100 * false, run.reported, per_100 * episodes


def detects(rule: str, seed: int, n_episodes: int, rho: float, *, gain: float) -> float:
    """Whether a policy better by this gain is promoted in time: 1.0 or 0.0."""
    run = Run.of(rule, seed, n_episodes, rho)
    run.window(0.0)
    return float(any(run.window(gain) for _ in range(POWER_WINDOWS)))


def interval(values: Sequence[float]) -> str:
    """Mean and its 95 % interval, by the normal approximation: thousands of runs."""
    half = Z_95 * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return f"{np.mean(values):.2f} ± {half:.2f}"


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=500)
    runs = parser.parse_args().runs
    rows: list[list[str]] = []
    for n_episodes, rho in ((5, 0.0), (5, 0.6), (30, 0.0), (30, 0.6)):
        for rule in RULES:
            if rho > 0.0 and rule != RULES[2]:
                continue  # windows are drawn without seeds
            still = [frozen(rule, seed, n_episodes, rho) for seed in range(runs)]
            false, bias, cost = (list(column) for column in zip(*still, strict=True))
            power = [
                [detects(rule, seed, n_episodes, rho, gain=gain) for seed in range(runs)]
                for gain in (0.5, 1.0)
            ]
            cells = map(interval, (false, bias, *power))
            rows.append([rule, str(n_episodes), f"{rho:g}", *cells, f"{np.mean(cost):.0f}"])
    head = ["rule", "episodes a window", "ρ", "false promotions / 100 windows", "bias, sd"]
    write_table([*head, "power at 0.5 sd", "power at 1 sd", "fresh episodes / 100 windows"], rows)


if __name__ == "__main__":
    main()
