"""C10: a directory is moved or copied, its process goes elsewhere; no path is stored."""

import os
import shutil
from pathlib import Path

import pytest

from optix_core import EvalMetrics, LoopCallback
from optix_core.run_directory import RunDirectory

from .registry_scene import load_best, save, scores
from .runs import optimizer


class Wanderer(LoopCallback):
    """Changes the working directory after the first window."""

    def __init__(self, destination: Path) -> None:
        self.destination = destination

    def on_episode_end(self, window_id: int, metrics: EvalMetrics | None) -> None:
        os.chdir(self.destination)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run under a relative name, whose process went elsewhere meanwhile."""
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    report = optimizer("run", [1.0, 3.0, 2.0], [Wanderer(tmp_path / "there")]).run()
    assert report.windows == 3
    assert list((tmp_path / "there").iterdir()) == []
    return tmp_path / "here" / "run"


def check(directory: Path) -> None:
    """Everything is found, and another run goes on there."""
    assert load_best(RunDirectory(directory).registry()) == 1.0
    assert scores(RunDirectory(directory).registry()) == [1.0, 3.0]
    (summary,) = RunDirectory(directory).runs()
    assert summary.last_event["event"] == "run_stopped"
    save(RunDirectory(directory).registry(), 5.0)
    assert optimizer(directory, [9.0]).run().run_id == 2
    assert scores(RunDirectory(directory).registry()) == [1.0, 3.0, 5.0, 9.0]


def test_a_moved_directory(run: Path, tmp_path: Path) -> None:
    run.parent.rename(tmp_path / "moved")
    check(tmp_path / "moved" / "run")


def test_a_copied_directory(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "copy")
    check(tmp_path / "copy")
    check(run)


def test_a_directory_that_moves_while_a_registry_is_open(run: Path, tmp_path: Path) -> None:
    registry = RunDirectory(run).registry()
    run.rename(tmp_path / "moved")
    assert registry.best is None
    (tmp_path / "moved").rename(run)
    assert load_best(registry) == 1.0


def test_no_path_is_stored(run: Path, tmp_path: Path) -> None:
    files = [path for path in run.rglob("*") if path.is_file()]
    assert len(files) > 5
    assert [path.name for path in files if str(tmp_path).encode() in path.read_bytes()] == []
