"""Scores a policy on held-out episodes that are drawn from a given seed, or given one by one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Self, final

import numpy as np

from optix_core.base_evaluator import BaseEvaluator
from optix_core.episode_data import EpisodeData, FloatArray
from optix_core.errors import ContractViolationError
from optix_core.eval_metrics import EvalMetrics
from optix_core.finite_check import count_non_finite
from optix_core.mean_comparison import MIN_EPISODES
from optix_core.work_unit import WorkUnit

MAX_WINDOWS = 32
"""Windows of an examination at most: episodes may be longer than windows, or never end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exam:
    """What came of an examination."""

    metrics: EvalMetrics
    """The evaluator's score."""
    steps: int
    """Environment steps that it took."""
    returns: tuple[float, ...] = ()
    """Returns of the episodes where their seeds were given, in that order."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """Where policies are examined, all of them on the same episodes where the seed is the same.

    Where fewer than two episodes ended, the total rewards of the windows are the sample instead.
    """

    evaluator: BaseEvaluator
    """Makes the score."""
    play: Callable[[int, int], Sequence[EpisodeData]]
    """Plays windows on a seed that hold so many episodes, or as many as can be had; at least one
    window."""
    play_on: Callable[[Sequence[int]], EpisodeData]
    """Plays one episode on each of these seeds."""

    def of(self, unit: WorkUnit) -> Exam:
        """Play and score what a unit asks for.

        Raises:
            ContractViolationError: if the evaluator returns no EvalMetrics.
            ConfigurationError: if seeds are given and nobody can play on each of them.
        """
        if unit.exam_seeds is not None:
            return score_episodes(self.evaluator, self.play_on(unit.exam_seeds))
        windows = self.play(unit.exam_seed, unit.n_episodes)
        sample = [Sample.of(window) for window in windows]
        steps = sum(part.steps for part in sample)
        return Exam(metrics=self._judge(windows[-1], sample), steps=steps)

    def of_training(self, last: EpisodeData, sample: Sequence["Sample"]) -> Exam:
        """Score the later half of what was learned from; all of it where too few episodes ended.

        Args:
            last: the newest window.
            sample: what is kept of each window, oldest first.

        Raises:
            ContractViolationError: if the evaluator returns no EvalMetrics.
        """
        later = sample[len(sample) // 2 :]
        n_ended = sum(len(part.returns) for part in later)
        metrics = self._judge(last, later if n_ended >= MIN_EPISODES else sample)
        return Exam(metrics=metrics, steps=0)

    def _judge(self, last: EpisodeData, sample: Sequence["Sample"]) -> EvalMetrics:
        returns = np.concatenate([part.returns for part in sample])
        if len(returns) < MIN_EPISODES:
            returns = np.array([part.total_reward for part in sample])
        window = replace(last, returns_since_decision=returns, episode_id=0)
        return checked(self.evaluator.score_validation(window), "score_validation")


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sample:
    """What a score needs of a window."""

    returns: FloatArray
    """Of the episodes that ended in it, [n]."""
    total_reward: float
    """Of the whole window."""
    steps: int
    """Its environment steps."""

    @classmethod
    def of(cls, window: EpisodeData) -> Self:
        """Take from a window what its score needs."""
        return cls(
            returns=window.episode_returns,
            total_reward=window.total_reward,
            steps=window.length,
        )


def score_episodes(evaluator: BaseEvaluator, window: EpisodeData) -> Exam:
    """Score whole episodes; NaN where one of them met numbers that are not finite."""
    metrics = checked(evaluator.score_validation(window), "score_validation")
    # An episode that was cut off for it might score well for that very reason.
    score = np.nan if count_non_finite(window) else metrics.primary_score
    # Which window of its pipeline this was hangs on who plays it.
    metrics = EvalMetrics(score, metrics.metrics)
    returns = tuple(window.returns_by_environment.tolist())
    return Exam(metrics=metrics, steps=window.length, returns=returns)


def windows_with(next_window: Callable[[], EpisodeData], n_episodes: int) -> list[EpisodeData]:
    """Play windows until so many episodes have ended in them; 32 windows at most."""
    windows: list[EpisodeData] = []
    n_ended = 0
    while n_ended < n_episodes and len(windows) < MAX_WINDOWS:
        windows.append(next_window())
        n_ended += len(windows[-1].episode_returns)
    return windows


def checked(metrics: object, method: str) -> EvalMetrics:
    """Return what a method of an evaluator returned.

    Raises:
        ContractViolationError: if it is no EvalMetrics.
    """
    if not isinstance(metrics, EvalMetrics):
        raise ContractViolationError(
            f"the evaluator's {method} must return EvalMetrics, got {type(metrics).__name__}"
        )
    return metrics
