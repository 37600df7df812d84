"""The tables of the evolution study, from the lines of its journal."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.evolution_run import Condition, Task
from benchmarks.harness import write_table
from benchmarks.harness.aggregates import (
    FloatArray,
    bootstrap,
    bootstrap_two,
    pooled_iqm,
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
    header = (f"{ours} against {theirs}", "difference, seed by seed", "probability of improvement")
    rows: list[list[str]] = []
    for task in tasks:
        x, y = results[ours][task.name], results[theirs][task.name]
        difference = bootstrap(pooled_iqm, [x - y])
        wins = bootstrap_two(probability_of_improvement, [x], [y])
        change = f"{difference.estimate:+.1f} ({difference.low:+.1f} to {difference.high:+.1f})"
        rows.append([task.name, change, str(wins)])
    xs, ys = (_normalised(results[name], tasks) for name in (ours, theirs))
    differences = [x - y for x, y in zip(xs, ys, strict=True)]
    pooled = bootstrap(pooled_iqm, differences)
    change = f"{pooled.estimate:+.3f} ({pooled.low:+.3f} to {pooled.high:+.3f})"
    rows.append([ALL, change, str(bootstrap_two(probability_of_improvement, xs, ys))])
    write_table(header, rows)


def _normalised(picked: Picked, tasks: Sequence[Task]) -> list[FloatArray]:
    return [(picked[task.name] - task.low) / (task.high - task.low) for task in tasks]
