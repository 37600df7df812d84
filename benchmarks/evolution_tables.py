"""The tables of the evolution study, from the lines of its journal."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.evolution_run import Condition, Task
from benchmarks.harness import write_table
from benchmarks.harness.aggregates import (
    FloatArray,
    Strata,
    bootstrap,
    bootstrap_two,
    pooled_iqm,
    pooled_mean,
    probability_of_improvement,
)

Rows = Sequence[Mapping[str, Any]]
Picked = dict[str, FloatArray]
"""Test returns, one a seed, of each task."""

ALL = "all, normalised"
SELECTED = "chosen"
ENSEMBLE = (SELECTED, "ensemble", "mean member", "best member", "best alone", "best", "mixture")
"""What is made of a run with members. `chosen` act after the choice on fresh episodes, `ensemble`
with the weights that the run left, `mixture` by the mean of its probabilities. `best member` is the
best in the test itself, which nobody knows beforehand, `best alone` the best on the fresh episodes
of the choice, `best` the one that claimed the most, which is what is handed back."""
PAIRS = {
    SELECTED: ("mean member", "best member", "best alone", "best", "ensemble"),
    "ensemble": ("mean member", "best member"),
}
"""What is compared with what, seed by seed."""
COUNT = "30"
"""Episodes of each set that the product plays."""


def write_tables(
    rows: Rows, tasks: Sequence[Task], conditions: Sequence[Condition], seeds: Sequence[int]
) -> None:
    """Print what each condition reached, and how ensembles compare with their members."""
    runs = {(row["task"], row["condition"], row["seed"]): row for row in rows}
    per_condition = {
        condition.name: {
            task.name: [runs[task.name, condition.name, seed] for seed in seeds] for task in tasks
        }
        for condition in conditions
    }
    _write_spent(per_condition)
    results: dict[str, Picked] = {}
    for name, spent in per_condition.items():
        kinds = ENSEMBLE if any(len(row["members"]) > 1 for row in _all(spent)) else ("best",)
        results |= {f"{name}: {kind}": _pick(spent, kind) for kind in kinds}
    _write_scores(results, tasks)
    for name, spent in per_condition.items():
        for one, others in PAIRS.items():
            for other in others:
                _write_pair(f"{name}: {one}", f"{name}: {other}", results, tasks)
        if f"{name}: {SELECTED}" in results:
            _write_counts(name, spent, tasks)
    for kind in ("ensemble", "best"):
        _write_pair(f"rounds: {kind}", "one run: best", results, tasks)


def _all(spent: Mapping[str, Rows]) -> list[Mapping[str, Any]]:
    return [row for rows in spent.values() for row in rows]


def _pick(rounds: Mapping[str, Rows], what: str) -> Picked:
    return {task: np.array([_score(row, what) for row in rows]) for task, rows in rounds.items()}


def _score(row: Mapping[str, Any], what: str) -> float:
    voting = [m for m, w in zip(row["members"], row["weights"], strict=True) if w > 0]
    if what == "mean member":
        return float(np.mean(voting))
    if what == "best member":
        return float(np.max(voting))
    if what == "best alone":
        return float(row["members"][_choice(row)["best"]]) if len(voting) > 1 else row["best"]
    if what == SELECTED:
        return float(_choice(row)["score"]) if len(voting) > 1 else row["best"]
    return float(row[what])


def _choice(row: Mapping[str, Any], count: str = COUNT) -> Mapping[str, Any]:
    return row["selected"][count]


def _write_counts(name: str, spent: Mapping[str, Rows], tasks: Sequence[Task]) -> None:
    """What the choice comes to, and costs, with how many episodes of each set."""
    header = (
        f"{name}: episodes of each set",
        "chosen against the best member, normalised: mean difference",
        "interquartile mean",
        *(f"{task.name}: who act, episodes, steps" for task in tasks),
    )
    best = _normalised(_pick(spent, "best member"), tasks)
    rows: list[list[str]] = []
    for count in _all(spent)[0]["selected"]:
        choices = {t: [_choice(row, count) for row in runs] for t, runs in spent.items()}
        chosen = {task: np.array([one["score"] for one in each]) for task, each in choices.items()}
        gains = _comparison(_normalised(chosen, tasks), best, digits=3)[:2]
        rows.append([count, *gains, *(_cost(choices[task.name]) for task in tasks)])
    write_table(header, rows)


def _cost(choices: Rows) -> str:
    size = np.mean([len(choice["members"]) for choice in choices])
    episodes, steps = (
        np.median([choice[key] for choice in choices]) for key in ("episodes", "steps")
    )
    return f"{size:.1f}, {episodes:,.0f}, {steps:,.0f}"


def _write_spent(per_condition: Mapping[str, Mapping[str, Rows]]) -> None:
    header = ("condition", "task", "runs", "training steps", "validation steps", "members", "CPU s")
    medians = [
        [
            name,
            task,
            str(len(rows)),
            *(
                f"{np.median([row[key] for row in rows]):,.0f}"
                for key in ("steps", "validation_steps")
            ),
            f"{np.median([len(row['members']) for row in rows]):.0f}",
            f"{np.median([row['cpu_s'] for row in rows]):.0f}",
        ]
        for name, tasks in per_condition.items()
        for task, rows in tasks.items()
    ]
    write_table(header, medians)


def _write_scores(results: Mapping[str, Picked], tasks: Sequence[Task]) -> None:
    header = ("interquartile mean (95 % interval)", *(task.name for task in tasks), ALL)
    rows: list[list[str]] = []
    for name, picked in results.items():
        each = [bootstrap(pooled_iqm, [picked[task.name]]) for task in tasks]
        pooled = bootstrap(pooled_iqm, _normalised(picked, tasks))
        cells = [f"{one.estimate:.1f} ({one.low:.1f} to {one.high:.1f})" for one in each]
        rows.append([name, *cells, str(pooled)])
    write_table(header, rows)


def _write_pair(
    ours: str, theirs: str, results: Mapping[str, Picked], tasks: Sequence[Task]
) -> None:
    if ours in results and theirs in results:
        _write_comparison(ours, theirs, results, tasks)


def _write_comparison(
    ours: str, theirs: str, results: Mapping[str, Picked], tasks: Sequence[Task]
) -> None:
    header = (
        f"{ours} against {theirs}",
        "mean difference, seed by seed",
        "interquartile mean of the differences",
        "probability of improvement",
    )
    rows: list[list[str]] = []
    for task in tasks:
        x, y = results[ours][task.name], results[theirs][task.name]
        rows.append([task.name, *_comparison([x], [y], digits=1)])
    xs, ys = (_normalised(results[name], tasks) for name in (ours, theirs))
    rows.append([ALL, *_comparison(xs, ys, digits=3)])
    write_table(header, rows)


def _comparison(ours: Strata, theirs: Strata, *, digits: int) -> list[str]:
    differences = [x - y for x, y in zip(ours, theirs, strict=True)]
    cells: list[str] = []
    for statistic in (pooled_mean, pooled_iqm):
        found = bootstrap(statistic, differences)
        middle, low, high = (
            f"{value:+.{digits}f}" for value in (found.estimate, found.low, found.high)
        )
        cells.append(f"{middle} ({low} to {high})")
    return [*cells, str(bootstrap_two(probability_of_improvement, ours, theirs))]


def _normalised(picked: Picked, tasks: Sequence[Task]) -> list[FloatArray]:
    return [(picked[task.name] - task.low) / (task.high - task.low) for task in tasks]
