"""Draws a series of scores in one line of text."""

import itertools
import math
from collections.abc import Sequence

_LEVELS = "▁▂▃▄▅▆▇█"


def sparkline(scores: Sequence[float], width: int) -> str:
    """Draw scores as bars, lowest to highest; more than `width` are averaged in even groups.

    Non-finite scores are left out of the averages, and are blank where a group has no other.
    Constant scores are drawn at the lowest level; no scores give an empty text.
    """
    means = _averages(scores, width)
    finite = [mean for mean in means if math.isfinite(mean)]
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    # Halved, so that the span of huge scores of both signs does not overflow.
    span = high / 2 - low / 2
    return "".join(_bar(mean, low, span) for mean in means)


def _averages(scores: Sequence[float], width: int) -> list[float]:
    if len(scores) <= width:
        return list(scores)
    edges = [index * len(scores) // width for index in range(width + 1)]
    groups = [scores[start:end] for start, end in itertools.pairwise(edges)]
    return [_mean([score for score in group if math.isfinite(score)]) for group in groups]


def _mean(scores: Sequence[float]) -> float:
    return sum(score / len(scores) for score in scores) if scores else math.nan


def _bar(mean: float, low: float, span: float) -> str:
    if not math.isfinite(mean):
        return " "
    share = (mean / 2 - low / 2) / span if span > 0 else 0.0
    return _LEVELS[min(len(_LEVELS) - 1, int(share * len(_LEVELS)))]
