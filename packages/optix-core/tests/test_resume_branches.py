"""Tuners that branch survive a kill: challengers, probes and studies go on as if without one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from optix_core import (
    BackoffOptimizer,
    BaseOptimizer,
    LoopCallback,
    OptunaOptimizer,
    PopulationOptimizer,
    state_keeper,
)

from . import units_elsewhere
from .loop_runs import read_journal
from .resume_scene import marks_of, optimizer_in, same_but_for_time

pytestmark = pytest.mark.usefixtures("without_sync")

N_WINDOWS = 48

TUNERS: dict[str, Callable[[], BaseOptimizer]] = {
    "population": lambda: PopulationOptimizer(n_members=3, waits=False),
    "evidence": lambda: BackoffOptimizer(mode="evidence"),
    "optuna": lambda: OptunaOptimizer(n_trials=3, rungs=2, rung_windows=2),
}


class Bomb(LoopCallback):
    """Ends a run at the end of a window: after the branches of the evaluation before."""

    def __init__(self, window_id: int) -> None:
        self.window_id = window_id

    def on_episode_end(self, window_id: int, metrics: Any) -> None:
        if window_id == self.window_id:
            raise KeyboardInterrupt


@pytest.mark.parametrize("share", [float("inf"), 0.0], ids=["every window", "the first window"])
@pytest.mark.parametrize("window_id", [5, 9])
@pytest.mark.parametrize("tuner", TUNERS)
def test_a_killed_run_goes_on_as_if_nothing_had_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tuner: str, *, window_id: int, share: float
) -> None:
    monkeypatch.setattr(state_keeper, "SHARE", share)

    def run(name: str, bomb_at: int, *, resume: bool = False) -> Any:
        return optimizer_in(
            tmp_path / name,
            N_WINDOWS,
            optimizer=TUNERS[tuner](),
            callbacks=[Bomb(bomb_at)],
            resume=resume,
        ).run()

    whole = run("whole", -1)
    assert whole.branch_windows > 0
    with pytest.raises(KeyboardInterrupt):
        run("parts", window_id)
    parts = run("parts", -1, resume=True)
    assert same_but_for_time(whole, parts)
    assert marks_of(tmp_path / "whole") == marks_of(tmp_path / "parts")
    branches = [
        sorted(path.name for path in (tmp_path / name / "branches").glob("snapshot-*"))
        for name in ("whole", "parts")
    ]
    assert branches[0] == branches[1]


@pytest.mark.parametrize("window_id", [1, 3, 5])
def test_a_run_whose_learner_took_over_the_memory_of_a_branch_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, window_id: int
) -> None:
    """Rows of a memory that was replaced are no continuation of those that lie on disk."""
    monkeypatch.setattr(state_keeper, "SHARE", float("inf"))

    def run(name: str, bomb_at: int, *, resume: bool = False) -> Any:
        tuner = BackoffOptimizer(mode="evidence")
        callbacks = [Bomb(bomb_at)]
        return units_elsewhere.optimizer_in(
            tmp_path / name, tuner, callbacks=callbacks, resume=resume
        ).run()

    whole = run("whole", -1)
    with pytest.raises(KeyboardInterrupt):
        run("parts", window_id)
    assert read_journal(tmp_path / "parts", "branch_adopted")
    assert same_but_for_time(whole, run("parts", -1, resume=True))
    assert marks_of(tmp_path / "whole") == marks_of(tmp_path / "parts")
