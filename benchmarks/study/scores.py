"""Numbers of a run: final score, area under the curve, when it stopped."""

import numpy as np
from numpy.typing import NDArray

from benchmarks.study.records import RunRecord
from benchmarks.study.tasks import TASKS, WINDOW_STEPS

SOLVED = 0.9
"""Normalised final score from which on a task counts as solved."""

WITHIN = 0.05
"""T95: share of the range of scores within which the final level counts as reached."""

SMOOTHING = 5
"""Evaluations in the running mean whose level decides T95 and whether a stop was premature."""


def final(record: RunRecord) -> float:
    """Normalised final score."""
    return TASKS[record.key.task].normalised(record.final)


def curve(record: RunRecord) -> NDArray[np.float64]:
    """Normalised true score of the incumbent after each window of the budget; 0 before one."""
    task = TASKS[record.key.task]
    ends = np.arange(1, task.n_windows + 1) * WINDOW_STEPS
    steps = np.array([step for step, _ in record.curve])
    scores = np.array([0.0, *(task.normalised(score) for _, score in record.curve)])
    return scores[np.searchsorted(steps, ends, side="right")]


def area(record: RunRecord) -> float:
    """Area under the curve: its mean over the budget."""
    return float(curve(record).mean())


def steps_to_95(record: RunRecord) -> int | None:
    """T95 of a run that nothing stopped: when the smoothed score first comes near its final level.

    Returns:
        Steps after which the running mean of `SMOOTHING` scores is first within `WITHIN` of the
        range of its last level; None where it never left that band, so that nothing was learned.
    """
    steps, smooth = smoothed(record)
    if len(smooth) < 2:
        return None
    span = float(smooth.max() - smooth.min())
    level = smooth[-1] - WITHIN * span
    if span == 0.0 or smooth[0] >= level:
        return None
    return int(steps[np.argmax(smooth >= level)])


def smoothed(record: RunRecord) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Steps and running means of `SMOOTHING` scores."""
    steps = np.array([step for step, _ in record.window_scores], dtype=np.int64)
    scores = np.array([score for _, score in record.window_scores], dtype=np.float64)
    if len(scores) < SMOOTHING:
        return steps[:0], scores[:0]
    means = np.convolve(scores, np.full(SMOOTHING, 1 / SMOOTHING), mode="valid")
    return steps[SMOOTHING - 1 :], means


def stopped_too_early(record: RunRecord, unstopped: RunRecord) -> bool:
    """Whether the run would still have become better by more than `WITHIN` of the range."""
    if record.stopped_at is None:
        return False
    steps, smooth = smoothed(unstopped)
    before, after = smooth[steps <= record.stopped_at], smooth[steps > record.stopped_at]
    if not len(before) or not len(after):
        return False
    return bool(after.max() - before.max() > WITHIN * (smooth.max() - smooth.min()))
