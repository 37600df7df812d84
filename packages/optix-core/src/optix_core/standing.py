"""What a policy is held to score, and how two policies compare."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, final

from optix_core.eval_metrics import EvalMetrics
from optix_core.mean_comparison import (
    MeanEvidence,
    minimum_detectable_effect,
    paired_detectable_effect,
    paired_p,
    welch_p,
)
from optix_core.metrics_history import metrics_from_state, metrics_state


@final
@dataclass(frozen=True, slots=True)
class Standing:
    """A policy's score with its evidence."""

    metrics: EvalMetrics
    """The score that counts: of fresh episodes where they were played, else of the window."""
    returns: tuple[float, ...] = ()
    """Returns of the fresh episodes in the order of their seeds; () where there are none."""

    @property
    def evidence(self) -> MeanEvidence | None:
        """Mean, error and number of episodes; None where the metrics hold none that is usable."""
        return MeanEvidence.of(self.metrics)

    @classmethod
    def of_episodes(cls, metrics: EvalMetrics, returns: tuple[float, ...]) -> Self | None:
        """Make it of whole episodes; None where their score is without usable evidence.

        The returns are kept where the score is their mean.
        """
        if MeanEvidence.of(metrics) is None:
            return None
        is_mean = metrics.n_episodes == len(returns) and math.isclose(
            metrics.primary_score, math.fsum(returns) / len(returns), rel_tol=1e-9, abs_tol=1e-12
        )
        return cls(metrics, returns if is_mean else ())

    def state(self) -> dict[str, Any]:
        """Return it in JSON scalars."""
        return {"metrics": metrics_state(self.metrics), "returns": list(self.returns)}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """Make what `state` took apart."""
        return cls(metrics_from_state(state["metrics"]), tuple(state["returns"]))


def restated(window: EvalMetrics, fresh: Standing) -> Standing:
    """Return a policy's metrics with the score of fresh episodes in place of its own.

    `primary_score`, `n_episodes` and `score_se` are those of the fresh episodes; `window_score` is
    what the window scored, and everything else (`train_score`, `val_score`,
    `generalization_gap`, diagnostics) stays the window's.
    """
    metrics = {
        **window.metrics,
        "n_episodes": fresh.metrics.n_episodes,
        "score_se": fresh.metrics.score_se,
        "window_score": window.metrics.get("window_score", window.primary_score),
    }
    score = fresh.metrics.primary_score
    return Standing(EvalMetrics(score, metrics, window.episode_id), fresh.returns)


def pairs(candidate: Standing, incumbent: Standing) -> bool:
    """Whether both played the same seeds, as far as the numbers of episodes tell."""
    return 0 < len(candidate.returns) == len(incumbent.returns)


def p_better(candidate: Standing, incumbent: Standing) -> float | None:
    """One-sided p-value that the candidate is no better: by pairs where both have them, or Welch's.

    None where one of the two is without evidence.
    """
    if pairs(candidate, incumbent):
        return paired_p(candidate.returns, incumbent.returns)
    one, other = candidate.evidence, incumbent.evidence
    return None if one is None or other is None else welch_p(one, other)


def detectable(candidate: Standing, incumbent: Standing) -> float | None:
    """The true gain that such a comparison proves with probability 0.8; None without evidence."""
    if pairs(candidate, incumbent):
        effect = paired_detectable_effect(candidate.returns, incumbent.returns)
        return effect if math.isfinite(effect) else None
    one, other = candidate.evidence, incumbent.evidence
    return None if one is None or other is None else minimum_detectable_effect(other, one.n)
