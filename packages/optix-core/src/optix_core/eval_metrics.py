"""The outcome of one evaluation: a score, its evidence, and whatever else was measured."""

import math
import numbers
from dataclasses import dataclass, field
from typing import Any, TypeGuard, cast

import numpy as np

from optix_core.errors import ContractViolationError

MetricValue = float | int | bool | str | None
_PLAIN = frozenset({float, int, bool, str, type(None)})


@dataclass(slots=True)
class EvalMetrics:
    """A score and the measurements beside it.

    Evidence is `metrics["n_episodes"]` and `metrics["score_se"]`: how many episodes the score is
    the mean of and the standard error of that mean. Our evaluators always give both.

    Raises:
        ContractViolationError: if primary_score is not a real number (NumPy scalars are).
    """

    primary_score: float
    """Drives every decision; higher is better. May be NaN: then it is never a best."""
    metrics: dict[str, MetricValue] = field(default_factory=dict[str, MetricValue])
    """Further measurements by name."""
    episode_id: int = 0
    """Number of the window that was scored."""

    def __post_init__(self) -> None:
        """Turn NumPy scalars into Python numbers and refuse what is no number."""
        self.primary_score = _as_float(self.primary_score)
        self.metrics = {
            name: value if type(value) in _PLAIN else _as_plain(value)
            for name, value in self.metrics.items()
        }

    @property
    def is_finite(self) -> bool:
        """Whether the score is neither NaN nor infinite."""
        return math.isfinite(self.primary_score)

    @property
    def n_episodes(self) -> int | None:
        """Number of episodes behind the score, None where the evaluator does not say."""
        value = self.metrics.get("n_episodes")
        return int(value) if isinstance(value, int | float) and math.isfinite(value) else None

    @property
    def score_se(self) -> float | None:
        """Standard error of the score, None where the evaluator does not say."""
        return self._number("score_se")

    @property
    def has_evidence(self) -> bool:
        """Whether the score comes with a number of episodes and a standard error."""
        return self.n_episodes is not None and self.score_se is not None

    @property
    def generalization_gap(self) -> float | None:
        """Train score minus validation score; None without validation."""
        return self._number("generalization_gap")

    def beats(self, other: "EvalMetrics", margin: float = 0.0) -> bool:
        """Whether this score is higher than the other's by more than margin.

        A non-finite score beats nothing; every finite score beats a non-finite one.
        """
        if not self.is_finite:
            return False
        return not other.is_finite or self.primary_score > other.primary_score + margin

    def _number(self, name: str) -> float | None:
        value = self.metrics.get(name)
        return float(value) if isinstance(value, int | float) else None


def _as_float(score: object) -> float:
    if type(score) is float:
        return score
    number = cast("object", score.item()) if _is_numpy_scalar(score) else score
    if isinstance(number, bool) or not isinstance(number, numbers.Real):
        raise ContractViolationError(
            f"primary_score must be a real number, got {score!r} of type "
            f"{type(score).__name__}; let the evaluator return a float"
        )
    return float(number)


def _as_plain(value: Any) -> MetricValue:
    return value.item() if _is_numpy_scalar(value) else value


def _is_numpy_scalar(value: Any) -> TypeGuard[np.generic]:
    return isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0)
