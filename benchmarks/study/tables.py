"""The tables of the study, as Markdown."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from benchmarks.harness.aggregates import (
    Strata,
    bootstrap,
    bootstrap_two,
    pooled_iqm,
    pooled_mean,
    probability_of_improvement,
    worst_decile,
)
from benchmarks.study.records import RunKey, RunRecord
from benchmarks.study.scores import (
    SOLVED,
    area,
    final,
    steps_to_95,
    stopped_too_early,
)
from benchmarks.study.tasks import TASKS

Score = Callable[[RunRecord], float]

BASELINE = "fixed"


class Results:
    """The records of the study, by condition and start."""

    def __init__(self, records: Iterable[RunRecord]) -> None:
        self.by_key = {record.key: record for record in records}
        self._runs: dict[tuple[str, str], list[RunRecord]] = defaultdict(list)
        for record in self.by_key.values():
            self._runs[record.key.condition, record.key.start].append(record)

    @property
    def starts(self) -> list[str]:
        """Starts that were run."""
        return list(dict.fromkeys(start for _, start in self._runs))

    def conditions(self, start: str) -> list[str]:
        """Conditions that were run from a start, but those that had another budget."""
        names = sorted({name for name, its_start in self._runs if its_start == start})
        return [name for name in names if name != "default-unstopped"]

    def runs(self, condition: str, start: str) -> list[RunRecord]:
        """Runs of a condition from a start."""
        return self._runs.get((condition, start), [])

    def strata(self, condition: str, start: str, score: Score) -> Strata:
        """Scores of each task that has any."""
        runs = self.runs(condition, start)
        by_task = [[score(run) for run in runs if run.key.task == task] for task in TASKS]
        return [np.array(scores) for scores in by_task if scores]

    def paired(self, ours: str, theirs: str, start: str, score: Score) -> Strata:
        """Differences ours − theirs of the runs that both have, by task."""
        differences: dict[str, list[float]] = {task: [] for task in TASKS}
        for run in self.runs(ours, start):
            key = RunKey(condition=theirs, task=run.key.task, start=start, seed=run.key.seed)
            other = self.by_key.get(key)
            if other is not None:
                differences[run.key.task].append(score(run) - score(other))
        return [np.array(values) for values in differences.values() if values]


def start_table(results: Results, start: str) -> Iterator[str]:
    """Yield the lines of one start's table: finals and areas of every condition."""
    yield f"**Start `{start}`**"
    yield ""
    yield (
        "| condition | runs | final, IQM | final, mean | worst decile | solved | area, IQM | "
        "P(final > fixed) | P(area > fixed) |"
    )
    yield "|---|---|---|---|---|---|---|---|---|"
    for condition in results.conditions(start):
        yield _row(results, condition, start)
    yield ""


def _row(results: Results, condition: str, start: str) -> str:
    finals = results.strata(condition, start, final)
    areas = results.strata(condition, start, area)
    solved = np.mean(np.concatenate(list(finals)) >= SOLVED)
    cells = [
        f"`{condition}`",
        str(len(results.runs(condition, start))),
        str(bootstrap(pooled_iqm, finals)),
        f"{pooled_mean(finals):.3f}",
        f"{worst_decile(finals):.3f}",
        f"{solved:.2f}",
        str(bootstrap(pooled_iqm, areas)),
        *_against_baseline(results, condition, start, (finals, areas)),
    ]
    return f"| {' | '.join(cells)} |"


def _against_baseline(
    results: Results, condition: str, start: str, scores: tuple[Strata, Strata]
) -> list[str]:
    if condition == BASELINE or BASELINE not in results.conditions(start):
        return ["–", "–"]
    base = (results.strata(BASELINE, start, each) for each in (final, area))
    return [
        str(bootstrap_two(probability_of_improvement, ours, theirs))
        if len(ours) == len(theirs)
        else "–"
        for ours, theirs in zip(scores, base, strict=True)
    ]


def stop_table(results: Results, start: str) -> Iterator[str]:
    """Yield the lines on stopping: when `default` stopped against T95 of the run continued."""
    ratios: list[float] = []
    n_reached, n_in_time, n_early, n_stopped, n_runs = 0, 0, 0, 0, 0
    for run in results.runs("default", start):
        key = RunKey(
            condition="default-unstopped", task=run.key.task, start=start, seed=run.key.seed
        )
        unstopped = results.by_key.get(key)
        if unstopped is None:
            continue
        n_runs += 1
        n_stopped += run.stopped_at is not None
        n_early += stopped_too_early(run, unstopped)
        t95 = steps_to_95(unstopped)
        if t95 is None:
            continue
        n_reached += 1
        end = run.stopped_at if run.stopped_at is not None else np.inf
        ratios.append(end / t95)
        n_in_time += end <= 3 * t95
    if not n_runs:
        return
    yield (
        "| runs | stopped by itself | reached T95 | of these stopped by 3 × T95 | "
        "stop / T95, median | too early |"
    )
    yield "|---|---|---|---|---|---|"
    median = f"{np.median(ratios):.2f}" if ratios else "–"
    yield f"| {n_runs} | {n_stopped} | {n_reached} | {n_in_time} | {median} | {n_early} |"
    yield ""
