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
from benchmarks.study.plans import LONGER
from benchmarks.study.records import RunKey, RunRecord
from benchmarks.study.scores import SOLVED, area, final
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
        return [name for name in names if name not in LONGER]

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
