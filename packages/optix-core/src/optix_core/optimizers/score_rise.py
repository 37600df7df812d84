"""Whether a learner's scores are still rising, and what its newest ones say together."""

from collections.abc import Sequence

from optix_core.eval_metrics import EvalMetrics
from optix_core.mean_comparison import MeanEvidence, pooled
from optix_core.plateau_fit import fit_plateau

FEWEST = 5
"""Evaluations that a line needs before its slope is believed, up or flat."""
_Z = 1.28
"""Upper 10 % point of the normal distribution: a rise is what chance shows once in ten times."""


def is_rising(evaluations: Sequence[EvalMetrics]) -> bool:
    """Whether the slope of a line through these scores lies above 1.28 standard errors.

    The error is corrected for autocorrelation (`fit_plateau`). Scores that are not finite are
    left out. Fewer than five others show nothing: then it counts as rising, since training gets
    the benefit of the doubt. Equal scores do not rise.

    Args:
        evaluations: oldest first, of windows that `episode_id` numbers, rising.
    """
    known = [metrics for metrics in evaluations if metrics.is_finite]
    if len(known) < FEWEST:
        return True
    windows = [metrics.episode_id for metrics in known]
    fit = fit_plateau(windows, [metrics.primary_score for metrics in known])
    return fit is not None and fit.slope > _Z * fit.slope_se


def taken_together(evaluations: Sequence[EvalMetrics]) -> EvalMetrics:
    """One score with the evidence of all of these; the newest one where none has any.

    Args:
        evaluations: oldest first, at least one.
    """
    samples = [MeanEvidence.of(metrics) for metrics in evaluations]
    known = [sample for sample in samples if sample is not None]
    if not known:
        return evaluations[-1]
    together = pooled(known)
    return EvalMetrics(together.mean, {"n_episodes": together.n, "score_se": together.se})
