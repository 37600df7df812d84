"""C08: a directory that cannot be written is read as ever, and no save reports success."""

from pathlib import Path

import pytest

from optix_core.checkpoint_registry import CheckpointRegistry
from optix_core.run_directory import RunDirectory

from .mounts import mounted, remount
from .registry_scene import load_best, save, scores, tree
from .script import run_script


def fill(root: Path) -> CheckpointRegistry:
    """A directory with a run, two snapshots and what a killed writer left."""
    directory = RunDirectory(root)
    directory.begin_run({"run": {"seed": 1}})
    directory.journal.append("run_started", run=1)
    registry = directory.registry(max_snapshots=2)
    for score in (9.0, 2.0):
        save(registry, score)
    directory.end_run()
    (root / ".tmp-0123456789abcdef").mkdir()
    return registry


def check_refusal(root: Path, *, said: str) -> None:
    """Everything can be read, nothing written, and nothing changes."""
    before = tree(root)
    registry = CheckpointRegistry(root, max_snapshots=2)
    assert scores(registry) == [9.0, 2.0]
    assert load_best(registry) == 9.0
    directory = RunDirectory(root)
    assert directory.read_asked() == {"run": {"seed": 1}}
    assert [event["event"] for event in directory.journal.read()] == ["run_started"]
    assert [run.run_id for run in directory.runs()] == [1]
    for write in (
        lambda: save(registry, 10.0),
        lambda: directory.begin_run({}),
        lambda: directory.journal.append("more"),
    ):
        with pytest.raises(OSError, match=said):
            write()
    assert tree(root) == before


@pytest.mark.faults_root
def test_a_file_system_that_turns_read_only(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=4m,mode=700") as disk:
        registry = fill(disk / "run")
        remount(disk, "ro")
        check_refusal(disk / "run", said="Read-only file system")
        remount(disk, "rw")
        save(registry, 10.0)
        assert load_best(registry) == 10.0
        assert not list((disk / "run").glob(".tmp-*"))


def test_a_directory_that_its_user_may_not_write() -> None:
    """As root in a process that becomes nobody, for whom permissions count."""
    run_script("unprivileged_reader")
