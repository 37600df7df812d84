"""C11: NaN and infinite scores are recorded, never the best, and in nobody's way."""

import itertools
import json
import math
from pathlib import Path
from typing import Any

import pytest

from optix_core.checkpoint_registry import CheckpointRegistry

from .registry_scene import load_best, save
from .runs import optimizer

ORDERS = list(itertools.permutations([1.0, 2.0, math.nan]))
NO_NUMBERS = [math.nan, math.inf, -math.inf]


def refuse_token(token: str) -> None:
    raise AssertionError(f"{token} is no JSON")


def strict(path: Path) -> list[Any]:
    """The documents of a file, one a line; NaN and Infinity are no JSON."""
    return [json.loads(line, parse_constant=refuse_token) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("odd", NO_NUMBERS, ids=str)
@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_the_best_is_a_number_in_every_order(
    tmp_path: Path, order: tuple[float, ...], odd: float
) -> None:
    registry = CheckpointRegistry(tmp_path, max_snapshots=2)
    for score in order:
        save(
            registry,
            odd if math.isnan(score) else score,
            weight=0.0 if math.isnan(score) else score,
        )
    assert load_best(registry) == 2.0
    assert load_best(CheckpointRegistry(tmp_path)) == 2.0
    for path in tmp_path.rglob("*.json"):
        strict(path)


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_a_run_goes_on_over_them(tmp_path: Path, order: tuple[float, ...]) -> None:
    optimizer(tmp_path, order).run()
    best = CheckpointRegistry(tmp_path).best
    assert best is not None
    assert best.eval_metrics.primary_score == 2.0
    events = strict(tmp_path / "events.jsonl")
    windows = [event for event in events if event["event"] == "window"]
    assert [window["score"] for window in windows] == [
        None if math.isnan(score) else score for score in order
    ]
    # What is no number counts as an evaluation without improvement.
    n_without, reached = 0, -math.inf
    for window, score in zip(windows, order, strict=True):
        n_without = 0 if score > reached else n_without + 1
        reached = max(reached, score) if not math.isnan(score) else reached
        assert window["n_without_improvement"] == n_without
