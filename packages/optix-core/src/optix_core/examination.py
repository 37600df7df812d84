"""Scores a policy on held-out episodes that are drawn from a given seed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from optix_core.base_evaluator import BaseEvaluator
from optix_core.episode_data import EpisodeData
from optix_core.errors import ContractViolationError
from optix_core.eval_metrics import EvalMetrics
from optix_core.mean_comparison import MIN_EPISODES

MAX_WINDOWS = 32
"""Windows of an examination at most: episodes may be longer than windows, or never end."""


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

    def score(self, seed: int, n_episodes: int) -> tuple[EvalMetrics, int]:
        """Play and score; returns the score and the environment steps that it took.

        Raises:
            ContractViolationError: if the evaluator returns no EvalMetrics.
        """
        windows = self.play(seed, n_episodes)
        returns = np.concatenate([window.episode_returns for window in windows])
        if len(returns) < MIN_EPISODES:
            returns = np.array([window.total_reward for window in windows])
        window = replace(windows[-1], returns_since_decision=returns, episode_id=0)
        metrics = self.evaluator.score_validation(window)
        if not isinstance(metrics, EvalMetrics):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ContractViolationError(
                f"the evaluator's score_validation must return EvalMetrics, "
                f"got {type(metrics).__name__}"
            )
        return metrics, sum(window.length for window in windows)


def windows_with(next_window: Callable[[], EpisodeData], n_episodes: int) -> list[EpisodeData]:
    """Play windows until so many episodes have ended in them; 32 windows at most."""
    windows: list[EpisodeData] = []
    n_ended = 0
    while n_ended < n_episodes and len(windows) < MAX_WINDOWS:
        windows.append(next_window())
        n_ended += len(windows[-1].episode_returns)
    return windows
