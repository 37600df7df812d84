"""The evaluations of a run, in bounded memory."""

from collections.abc import Mapping, Sequence
from typing import Any, overload

from optix_core.eval_metrics import EvalMetrics

CAPACITY = 4096
"""Evaluations kept before every second one is dropped."""


class MetricsHistory(Sequence[EvalMetrics]):
    """Evaluations, oldest first. Beyond `CAPACITY` every second one goes; first and last stay."""

    def __init__(self) -> None:
        """Begin empty."""
        self._evaluations: list[EvalMetrics] = []
        self._count = 0

    @property
    def total(self) -> int:
        """How many evaluations there were, the dropped ones included."""
        return self._count

    def append(self, metrics: EvalMetrics) -> None:
        """Add the newest evaluation."""
        self._evaluations.append(metrics)
        self._count += 1
        if len(self._evaluations) > CAPACITY:
            self._evaluations = self._evaluations[::2]

    def state_dict(self) -> dict[str, Any]:
        """Return the evaluations that are kept and how many there were."""
        return {"count": self._count, "kept": [metrics_state(kept) for kept in self._evaluations]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put back what `state_dict` returned."""
        self._evaluations = [metrics_from_state(kept) for kept in state["kept"]]
        self._count = state["count"]

    def __len__(self) -> int:
        """Return how many are kept."""
        return len(self._evaluations)

    @overload
    def __getitem__(self, index: int) -> EvalMetrics: ...
    @overload
    def __getitem__(self, index: slice) -> list[EvalMetrics]: ...
    def __getitem__(self, index: int | slice) -> EvalMetrics | list[EvalMetrics]:
        """Return a kept evaluation, or a list of them."""
        return self._evaluations[index]


def metrics_state(metrics: EvalMetrics) -> list[Any]:
    """Return an evaluation as JSON scalars."""
    return [metrics.primary_score, metrics.metrics, metrics.episode_id]


def metrics_from_state(state: Sequence[Any]) -> EvalMetrics:
    """Make the evaluation that `metrics_state` took apart."""
    score, metrics, episode_id = state
    return EvalMetrics(score, metrics, episode_id)
