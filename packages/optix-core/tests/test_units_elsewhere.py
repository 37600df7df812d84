"""Units that other processes do, with parts of their own: the run comes out the same."""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from optix_core import Executor, RunReport

from .resume_scene import journal_of
from .units_elsewhere import TUNERS, OtherProcesses, optimizer_in

pytestmark = pytest.mark.usefixtures("without_sync")

OF_BRANCHES = {"unit", "branch_adopted"}
SCENES = {
    ("population", "episodes"): {"promotion", "final_choice", *OF_BRANCHES},
    ("evidence", "episodes"): {"promotion", "final_choice", *OF_BRANCHES},
    ("none", "episodes"): {"promotion", "final_choice"},
    ("population", "windows"): {"promotion", *OF_BRANCHES},
    ("evidence", "nothing"): {"promotion", *OF_BRANCHES},
}


@pytest.mark.parametrize(("tuner", "validation"), SCENES)
def test_the_journal_is_the_same_wherever_units_are_done(
    tmp_path: Path, tuner: str, validation: str
) -> None:
    def run(name: str, executor: Executor | None = None) -> RunReport:
        settings: dict[str, Any] = {"validation": validation, "executor": executor}
        return optimizer_in(tmp_path / name, TUNERS[tuner](), **settings).run()

    with closing(OtherProcesses(tmp_path / "there", validation)) as elsewhere:
        here, there = run("here"), run("there", elsewhere)
    journal = journal_of(tmp_path / "here")
    assert journal_of(tmp_path / "there") == journal
    assert "StepSizeController" in there.tuner
    assert there.best_score == here.best_score
    assert there.contenders == here.contenders
    ordinary = {"journal", "run_started", "window", "lesson_taken_back", "run_stopped"}
    assert {event["event"] for event in journal} - ordinary == SCENES[tuner, validation]
    n_trained = sum(unit.n_windows for unit in elsewhere.units)
    assert n_trained == there.branch_windows == here.branch_windows
    n_left = [len(list(tmp_path.glob(f"{name}/branches/snapshot-*"))) for name in ("here", "there")]
    assert n_left == [0, 0]
