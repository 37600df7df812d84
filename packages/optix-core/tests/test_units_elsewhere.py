"""Units that other processes do, with parts of their own: the run comes out the same."""

from collections.abc import Generator
from contextlib import closing
from pathlib import Path

import pytest

from .resume_scene import journal_of
from .units_elsewhere import TUNERS, OtherProcesses, optimizer_in

pytestmark = pytest.mark.usefixtures("without_sync")

OF_ALL = {"promotion", "final_choice"}
OF_BRANCHES = {"unit", "branch_adopted"}


@pytest.fixture
def elsewhere(tmp_path: Path) -> Generator[OtherProcesses]:
    with closing(OtherProcesses(tmp_path / "there")) as executor:
        yield executor


@pytest.mark.parametrize("tuner", TUNERS)
def test_the_journal_is_the_same_wherever_units_are_done(
    tmp_path: Path, elsewhere: OtherProcesses, tuner: str
) -> None:
    here = optimizer_in(tmp_path / "here", TUNERS[tuner]()).run()
    there = optimizer_in(tmp_path / "there", TUNERS[tuner](), executor=elsewhere).run()
    journal = journal_of(tmp_path / "here")
    assert journal_of(tmp_path / "there") == journal
    assert "StepSizeController" in there.tuner
    assert there.best_score == here.best_score
    assert there.contenders == here.contenders > 1
    happened = {event["event"] for event in journal}
    assert happened & (OF_ALL | OF_BRANCHES) == OF_ALL | (set() if tuner == "none" else OF_BRANCHES)
    n_trained = sum(unit.n_windows for unit in elsewhere.units)
    assert n_trained == there.branch_windows == here.branch_windows
    n_left = [len(list(tmp_path.glob(f"{name}/branches/snapshot-*"))) for name in ("here", "there")]
    assert n_left[0] == n_left[1] == (2 if tuner == "population" else 0)
