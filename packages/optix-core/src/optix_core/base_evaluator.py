"""The contract of an evaluator, with the default that scores by completed episodes."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from optix_core.episode_data import EpisodeData, FloatArray
from optix_core.eval_metrics import EvalMetrics, MetricValue


class BaseEvaluator:
    """Makes scores of windows. Every method has a default; override any one alone.

    The default score is the mean return of the episodes that ended since the last decision, with
    its evidence: `n_episodes` and `score_se`, the sample standard deviation over √n. Where the
    window is the unit (`metadata["unit"] == "window"`) the score is the window's total reward,
    without evidence.
    """

    def score(self, episode_data: EpisodeData, train_diagnostics: dict[str, Any]) -> EvalMetrics:
        """Score a training window.

        Args:
            episode_data: the window, played by the policy that is judged.
            train_diagnostics: what the `learn` that made this policy returned; {} at first.

        Returns:
            Metrics with numeric diagnostics copied in. NaN with `n_episodes=0` where no episode
            ended.
        """
        return EvalMetrics(
            *_score_window(episode_data, numeric_diagnostics(train_diagnostics)),
            episode_data.episode_id,
        )

    def score_validation(self, episode_data: EpisodeData) -> EvalMetrics:
        """Score a held-out window; by default as a training window without diagnostics."""
        return self.score(episode_data, {})

    def combine(self, train: EvalMetrics, val: EvalMetrics) -> EvalMetrics:
        """Make one outcome of a training and a validation score: validation decides.

        Returns:
            `primary_score = val`, evidence of the validation, and `train_score`, `val_score`,
            `generalization_gap = train − val`.
        """
        evidence = {name: val.metrics.get(name) for name in ("n_episodes", "score_se")}
        metrics: dict[str, MetricValue] = {
            name: value for name, value in train.metrics.items() if name not in evidence
        }
        metrics.update({name: value for name, value in evidence.items() if value is not None})
        metrics["train_score"] = train.primary_score
        metrics["val_score"] = val.primary_score
        metrics["generalization_gap"] = train.primary_score - val.primary_score
        return EvalMetrics(val.primary_score, metrics, train.episode_id)

    def compare(self, candidate: EvalMetrics, baseline: EvalMetrics) -> bool:
        """Whether the candidate is better; by default by a higher score."""
        return candidate.beats(baseline)


def numeric_diagnostics(diagnostics: Mapping[str, Any]) -> dict[str, MetricValue]:
    """Pick what is one number out of a `learn` result; NumPy and 0-d arrays become Python's."""
    numbers: dict[str, MetricValue] = {}
    for name, value in diagnostics.items():
        plain: Any = value
        if isinstance(value, np.generic | np.ndarray) and np.size(plain) == 1:
            plain = np.asarray(plain).item()
        if isinstance(plain, int | float):
            numbers[name] = plain
    return numbers


def _score_window(
    window: EpisodeData, metrics: dict[str, MetricValue]
) -> tuple[float, dict[str, MetricValue]]:
    if window.metadata.get("unit") == "window":
        return window.total_reward, {**metrics, "unit": "window"}
    returns = window.returns_since_decision
    mean, standard_error = mean_and_se(window.episode_returns if returns is None else returns)
    count = len(window.episode_returns if returns is None else returns)
    return mean, {**metrics, "n_episodes": count, "score_se": standard_error}


def mean_and_se(returns: FloatArray) -> tuple[float, float]:
    """Mean and its standard error s/√n; NaN where n = 0, and an error of NaN where n = 1."""
    n = len(returns)
    if n == 0:
        return math.nan, math.nan
    return float(np.mean(returns)), float(
        np.std(returns, ddof=1) / math.sqrt(n)
    ) if n > 1 else math.nan
