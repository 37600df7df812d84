"""Turn samples into ratios with their goals, and print them as Markdown."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Goal:
    """What a ratio should reach; shown beside it, never asserted."""

    bound: float
    at_most: bool = False
    """Whether smaller is better."""

    def __str__(self) -> str:
        return f"{'≤' if self.at_most else '≥'} {self.bound:g}"

    def verdict(self, value: float) -> str:
        """The goal and whether a value reaches it; NaN never does."""
        is_met = value <= self.bound if self.at_most else value >= self.bound
        return f"{self} {'met' if is_met else 'missed'}"


@dataclass(frozen=True, slots=True)
class Ratio:
    """One line of a table of results: numerator / denominator of two medians."""

    what: str
    numerator: Sequence[float]
    denominator: Sequence[float]
    goal: Goal | None = None

    @property
    def value(self) -> float:
        """Ratio of the medians; NaN without samples."""
        if not self.numerator or not self.denominator:
            return float("nan")
        return float(np.median(self.numerator) / np.median(self.denominator))


def write_ratios(
    ratios: Sequence[Ratio], *, unit: str, scale: float = 1.0, stream: TextIO | None = None
) -> None:
    """Print ratios as a Markdown table with both medians and the middle half of the samples.

    Args:
        ratios: the lines.
        unit: of the medians shown.
        scale: multiplies the samples into that unit.
        stream: standard output by default.
    """
    header = ["what", f"numerator, {unit}", f"denominator, {unit}", "ratio", "goal"]
    rows = [
        [
            ratio.what,
            _spread(ratio.numerator, scale),
            _spread(ratio.denominator, scale),
            f"{ratio.value:.3g}",
            "–" if ratio.goal is None else ratio.goal.verdict(ratio.value),
        ]
        for ratio in ratios
    ]
    write_table(header, rows, stream=stream)


def write_table(
    header: Sequence[str], rows: Sequence[Sequence[object]], *, stream: TextIO | None = None
) -> None:
    """Print a Markdown table, ready for RESULTS.md."""
    out = stream or sys.stdout
    out.write("| " + " | ".join(header) + " |\n|" + "---|" * len(header) + "\n")
    for row in rows:
        out.write("| " + " | ".join(str(cell) for cell in row) + " |\n")
    out.write("\n")
    out.flush()


def bootstrap_ratio_of_medians(
    numerator: Sequence[float],
    denominator: Sequence[float],
    *,
    resamples: int = 10_000,
    seed: int = 0,
) -> tuple[float, float]:
    """95 % percentile bootstrap interval of median(numerator) / median(denominator).

    The two sides are resampled on their own. Infinite values (a run that never got there) take
    part; a resample whose two medians are both infinite counts as 1.
    """
    rng = np.random.default_rng(seed)
    above, below = (
        _resampled_medians(values, resamples, rng) for values in (numerator, denominator)
    )
    with np.errstate(invalid="ignore"):
        ratios = np.where(np.isinf(above) & np.isinf(below), 1.0, above / below)
    low, high = np.quantile(ratios, [0.025, 0.975], method="inverted_cdf")
    return float(low), float(high)


def _resampled_medians(
    values: Sequence[float], resamples: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    return np.median(rng.choice(array, size=(resamples, array.size)), axis=1)


def _spread(samples: Sequence[float], scale: float) -> str:
    if not samples:
        return "-"
    low, middle, high = np.quantile(np.asarray(samples) * scale, [0.25, 0.5, 0.75])
    return f"{middle:.4g} ({low:.4g} to {high:.4g})"
