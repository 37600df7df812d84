"""When runs stop by themselves, against the same runs when nothing stops them."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.study.plans import LONGER
from benchmarks.study.records import RunKey, RunRecord
from benchmarks.study.scores import WITHIN, final, steps_to_95, stopped_too_early
from benchmarks.study.tables import Results

STOPPED, CONTINUED = LONGER
LIMIT = 3.0
"""A run should have stopped by this many times T95."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a run ended that was free to stop."""

    end: int | None
    """Steps at which it stopped by itself; None where it did not."""
    length: int
    """Steps of the same run when nothing stopped it."""
    t95: int | None
    """T95 of that run in steps; None where its score did not rise."""
    is_too_early: bool
    """Whether that run still became better by more than 5 % of its range."""
    loss: float = 0.0
    """By how much that run's final score is higher, normalised, on fifty episodes of its own."""

    @classmethod
    def of(cls, stopped: RunRecord, continued: RunRecord) -> "Ending":
        """Compare the two runs of a seed."""
        return cls(
            end=stopped.stopped_at,
            length=continued.steps,
            t95=steps_to_95(continued),
            is_too_early=stopped_too_early(stopped, continued),
            loss=final(continued) - final(stopped),
        )

    @property
    def ratio(self) -> float | None:
        """Stop over T95, infinite where it did not stop; None without T95."""
        if self.t95 is None:
            return None
        return math.inf if self.end is None else self.end / self.t95

    @property
    def is_in_time(self) -> bool | None:
        """Whether it stopped by `LIMIT` times T95.

        None where it stopped before T95, which it never reached then, and where it was still
        running at an end that came before `LIMIT` times T95.
        """
        ratio = self.ratio
        if self.t95 is None or ratio is None or ratio < 1.0:
            return None
        if self.end is None and self.length < LIMIT * self.t95:
            return None
        return ratio <= LIMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class StopFigures:
    """What the endings of many runs come to."""

    n_runs: int
    n_stopped: int
    """Stopped by themselves."""
    median_ratio: float
    """Of stop over T95, runs that did not stop counted as infinite; NaN where no score rose."""
    n_known: int
    """Runs that reached T95 and stopped or lasted `LIMIT` times as long."""
    n_in_time: int
    """Of these, stopped by then."""
    n_too_early: int
    """Stopped before the score had risen."""
    n_lost: int
    """Stopped, and handed back a policy whose final score is lower by more than `WITHIN`."""

    @classmethod
    def of(cls, endings: Sequence[Ending]) -> "StopFigures":
        """Count."""
        ratios = [ending.ratio for ending in endings if ending.ratio is not None]
        in_time = [ending.is_in_time for ending in endings if ending.is_in_time is not None]
        return cls(
            n_runs=len(endings),
            n_stopped=sum(ending.end is not None for ending in endings),
            median_ratio=float(np.median(ratios)) if ratios else math.nan,
            n_known=len(in_time),
            n_in_time=sum(in_time),
            n_too_early=sum(ending.is_too_early for ending in endings),
            n_lost=sum(ending.end is not None and ending.loss > WITHIN for ending in endings),
        )


def endings(results: Results, start: str) -> Iterator[Ending]:
    """Yield how the runs from a start ended, those of which both kinds were run."""
    for run in results.runs(STOPPED, start):
        key = RunKey(condition=CONTINUED, task=run.key.task, start=start, seed=run.key.seed)
        continued = results.by_key.get(key)
        if continued is not None:
            yield Ending.of(run, continued)


def stop_table(results: Results) -> Iterator[str]:
    """Yield the lines on stopping, a row per start; nothing where no such runs were made."""
    found = {start: StopFigures.of(list(endings(results, start))) for start in results.starts}
    rows = [_row(start, figures) for start, figures in found.items() if figures.n_runs]
    if not rows:
        return
    yield (
        f"| runs of {LIMIT:.0f} times the budget, start | runs | stopped by themselves | "
        f"stop / T95, median | stopped by {LIMIT:.0f} × T95, of those that can tell | too early | "
        f"final score lower by > {WITHIN} |"
    )
    yield "|---|---|---|---|---|---|---|"
    yield from rows
    yield ""


def _row(start: str, figures: StopFigures) -> str:
    return (
        f"| `{start}` | {figures.n_runs} | {figures.n_stopped} | {figures.median_ratio:.2f} | "
        f"{figures.n_in_time} of {figures.n_known} | {figures.n_too_early} | "
        f"{figures.n_lost} |"
    )
