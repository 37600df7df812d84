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


def write_tables(
    rows: Rows, tasks: Sequence[Task], conditions: Sequence[Condition], seeds: Sequence[int]
) -> None:
    """Print what each way of spending the budget reached, and how they compare."""
    runs = {(row["task"], row["condition"], row["seed"]): row for row in rows}
    per_condition = {
        condition.name: {
            task.name: [runs[task.name, condition.name, seed] for seed in seeds] for task in tasks
        }
        for condition in conditions
    }
    _write_spent(per_condition)
    one = conditions[0].name
    results: dict[str, Picked] = {
        one: _pick(per_condition[one], "best"),
        f"{one}: snapshots": _pick(per_condition[one], "snapshots"),
    }
    for name in [condition.name for condition in conditions if condition is not conditions[0]]:
        rounds = per_condition[name]
        results[f"{name}: best policy"] = _pick(rounds, "best")
        results[f"{name}: snapshots"] = _pick(rounds, "snapshots")
        results[f"{name}: ensemble"] = _pick(rounds, "ensemble")
        results[f"{name}: mean member"] = _pick(rounds, "mean member")
    _write_scores(results, tasks)
    pairs = [(f"{one}: snapshots", one)]
    pairs += [
        (f"{name}: {ours}", theirs.format(name=name))
        for name in [condition.name for condition in conditions if condition is not conditions[0]]
        for ours, theirs in (
            ("ensemble", "{name}: best policy"),
            ("ensemble", "{name}: mean member"),
            ("best policy", one),
            ("ensemble", one),
        )
    ]
    for ours, theirs in pairs:
        _write_comparison(ours, theirs, results, tasks)


def _pick(rounds: Mapping[str, Rows], what: str) -> Picked:
    return {task: np.array([_score(row, what) for row in rows]) for task, rows in rounds.items()}


def _score(row: Mapping[str, Any], what: str) -> float:
    if what == "mean member":
        voting = [m for m, w in zip(row["members"], row["weights"], strict=True) if w > 0]
        return float(np.mean(voting))
    return float(row[what])


def _write_spent(per_condition: Mapping[str, Mapping[str, Rows]]) -> None:
    header = ("condition", "task", "training steps", "validation steps", "rounds", "CPU s a run")
    medians = [
        [
            name,
            task,
            *(
                f"{np.median([row[key] for row in rows]):,.0f}"
                for key in ("steps", "validation_steps", "rounds", "cpu_s")
            ),
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
