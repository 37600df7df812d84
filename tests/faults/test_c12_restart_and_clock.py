"""C12: a restart with worse scores, a clock set back: the best stays, order is by number."""

import os
import time
from pathlib import Path

import pytest

from optix_core.checkpoint_registry import CheckpointRegistry

from .registry_scene import load_best, save, scores
from .runs import optimizer


def test_the_best_outlives_restarts_with_worse_scores(tmp_path: Path) -> None:
    optimizer(tmp_path, [1.0, 9.0]).run()
    for score in (3.0, 2.0, 1.0):
        registry = CheckpointRegistry(tmp_path, max_snapshots=2)
        for _ in range(5):
            save(registry, score)
        # The best of all, and the best of those that belong to no run.
        assert scores(registry) == [9.0, 3.0]
    report = optimizer(tmp_path, [0.5, 0.25]).run()
    assert report.run_id == 2
    assert load_best(CheckpointRegistry(tmp_path)) == 1.0  # the weight that scored 9.0


def test_order_is_by_number_while_the_clock_runs_backwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, n_asked = time.time(), 0

    def clock() -> float:
        nonlocal n_asked
        n_asked += 1
        return began - 1000.0 * n_asked

    monkeypatch.setattr(time, "time", clock)
    registry = CheckpointRegistry(tmp_path, max_snapshots=3)
    for number, score in enumerate([9.0, 1.0, 2.0, 3.0, 4.0, 9.0], start=1):
        saved = save(registry, score, weight=float(number))
        assert saved.sequence == number
        # Files tell the time too: each snapshot is older than the one before.
        for path in (tmp_path / saved.snapshot_id, tmp_path):
            os.utime(path, (began - 1000.0 * number, began - 1000.0 * number))
    assert scores(CheckpointRegistry(tmp_path)) == [9.0, 4.0, 9.0]
    assert load_best(CheckpointRegistry(tmp_path)) == 1.0
