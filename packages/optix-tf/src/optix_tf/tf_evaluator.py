"""The default evaluator for agents whose diagnostics are TensorFlow's."""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np

from optix_core import BaseEvaluator, EpisodeData, EvalMetrics


@runtime_checkable
class _ArrayLike(Protocol):
    def __array__(self) -> np.ndarray[Any, Any]: ...


class TFEvaluator(BaseEvaluator):
    """Scores by the mean return of completed episodes, as core's default does.

    Diagnostics that are tensors or variables of one element are recorded as numbers, larger ones
    by their mean; what is no number is left out.
    """

    def score(self, episode_data: EpisodeData, train_diagnostics: dict[str, Any]) -> EvalMetrics:
        """Score a training window; see `BaseEvaluator.score`."""
        return super().score(episode_data, _as_numbers(train_diagnostics))


def _as_numbers(diagnostics: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _mean(value) if isinstance(value, _ArrayLike) else value
        for name, value in diagnostics.items()
    }


def _mean(value: _ArrayLike) -> Any:
    array = np.asarray(value)
    if array.size == 0 or array.dtype.kind not in "biuf":
        return value
    return array.item() if array.size == 1 else float(array.mean())
