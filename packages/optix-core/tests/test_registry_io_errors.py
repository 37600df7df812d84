"""Every operation of the system fails once: the registry is as before, or as after."""

import errno
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from optix_core import EvalMetrics, HyperparamSet
from optix_core.checkpoint_registry import CheckpointRegistry
from optix_core.errors import CheckpointError
from optix_core.journal import Journal

from .registry_scene import OneWeightAgent, load, load_best, save, scores

OPERATIONS = (
    "open", "write", "fsync", "fstat", "stat", "rename", "mkdir", "unlink", "rmdir", "scandir",
    "fchmod", "ftruncate",
)  # fmt: skip


class Faults:
    """Counts operations; the one with number `fail_at` raises."""

    def __init__(self, code: int, fail_at: int) -> None:
        self.count, self.code, self.fail_at = 0, code, fail_at

    def wrap(self, operation: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **options: Any) -> Any:
            self.count += 1
            if self.count == self.fail_at:
                raise OSError(self.code, os.strerror(self.code))
            return operation(*arguments, **options)

        return run


@contextmanager
def failing(code: int, fail_at: int) -> Generator[Faults]:
    faults = Faults(code, fail_at)
    with pytest.MonkeyPatch.context() as patch:
        for name in OPERATIONS:
            patch.setattr(os, name, faults.wrap(getattr(os, name)))
        yield faults


def fill(root: Path) -> CheckpointRegistry:
    registry = CheckpointRegistry(root, max_snapshots=3)
    for score in (1.0, 9.0, 2.0, 3.0):
        save(registry, score)
    assert scores(registry) == [9.0, 2.0, 3.0]
    return registry


def check(root: Path, *, saved: bool) -> None:
    """Nothing half done is to be seen, and saving works again."""
    registry = CheckpointRegistry(root, max_snapshots=3)
    found = scores(registry)
    after = ([9.0, 3.0, 4.0], [9.0, 2.0, 3.0, 4.0])
    assert found in (*after, [9.0, 2.0, 3.0])
    assert found in after or not saved
    assert [load(registry, snapshot) for snapshot in registry.snapshots()] == found
    assert load_best(registry) == 9.0
    save(registry, 5.0)
    assert scores(registry)[0] == 9.0
    assert len(scores(registry)) == 3
    assert [name for name in os.listdir(root) if name.startswith(".tmp")] == []  # noqa: PTH208


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EACCES, errno.EDQUOT])
def test_saving_is_all_or_nothing_whichever_operation_fails(tmp_path: Path, code: int) -> None:
    # One code in turn at each operation keeps this short; together they meet every one.
    step, fail_at = 4, 1 + (errno.ENOSPC, errno.EIO, errno.EACCES, errno.EDQUOT).index(code)
    while True:
        root = tmp_path / str(fail_at)
        registry = fill(root)
        saved = False
        with failing(code, fail_at) as faults:
            try:
                save(registry, 4.0)
                saved = True
            except (OSError, CheckpointError):
                pass
        check(root, saved=saved)
        if faults.count < fail_at:
            break
        fail_at += step
    assert saved
    assert fail_at > 40


@pytest.mark.parametrize("code", [errno.EIO, errno.EACCES, errno.EMFILE])
def test_loading_gives_a_snapshot_or_an_error_whichever_operation_fails(
    tmp_path: Path, code: int
) -> None:
    registry = fill(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    fail_at = 0
    while True:
        fail_at += 1
        found = None
        with failing(code, fail_at) as faults:
            try:
                found = load_best(CheckpointRegistry(tmp_path))
            except (OSError, CheckpointError):
                found = "error"
        assert found in ("error", 9.0, 3.0)
        assert found != 3.0 or code == errno.EIO  # a sector that is lost is damage
        assert sorted(tmp_path.rglob("*")) == before
        if faults.count < fail_at:
            break
    assert found == 9.0
    assert fail_at > 15
    assert load_best(registry) == 9.0


@pytest.mark.parametrize("code", [errno.EIO, errno.EACCES, errno.EMFILE])
def test_what_cannot_be_read_never_leads_to_a_prune(
    tmp_path: Path, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = fill(tmp_path)
    best = (tmp_path / "snapshot-000002").stat().st_ino
    genuine = os.open

    def refuse(path: Any, *arguments: Any, **options: Any) -> int:
        handle = genuine(path, *arguments, **options)
        if os.fstat(handle).st_ino == best:
            os.close(handle)
            raise OSError(code, os.strerror(code))
        return handle

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        for score in (4.0, 5.0, 6.0):
            save(registry, score)
    assert scores(CheckpointRegistry(tmp_path)) == [9.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert load_best(CheckpointRegistry(tmp_path)) == 9.0


@contextmanager
def read_only(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    genuine = os.open

    def opened(path: Any, flags: int, *arguments: Any, **options: Any) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return genuine(path, flags, *arguments, **options)

    def refused(*arguments: Any, **options: Any) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", opened)
        for name in ("mkdir", "rename", "unlink", "rmdir", "fchmod"):
            patch.setattr(os, name, refused)
        yield


def test_a_read_only_directory_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = fill(tmp_path)
    with read_only(monkeypatch):
        opened = CheckpointRegistry(tmp_path)
        assert scores(opened) == [9.0, 2.0, 3.0]
        assert load_best(opened) == 9.0
        with pytest.raises(OSError, match="Read-only"):
            save(opened, 10.0)
    assert scores(registry) == [9.0, 2.0, 3.0]


def test_every_file_and_folder_is_synced_before_it_can_be_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: set[int] = set()
    found_unsynced: list[str] = []
    sync, rename = os.fsync, os.rename
    last: list[str] = []

    def note_sync(handle: int) -> None:
        synced.add(os.fstat(handle).st_ino)
        last.append("sync")
        sync(handle)

    def note_rename(source: str, target: str, **options: Any) -> None:
        moved = tmp_path / source
        if not target.startswith(".tmp-"):
            last.append("rename")
            found_unsynced.extend(
                str(path) for path in (moved, *moved.rglob("*")) if path.stat().st_ino not in synced
            )
        rename(source, target, **options)

    class Folder(OneWeightAgent):
        def save_weights(self, path: str) -> None:
            for name in ("a", "a/b"):
                (Path(path) / name).mkdir(parents=True)
                (Path(path) / name / "file").write_text("x")

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(os, "rename", note_rename)
    CheckpointRegistry(tmp_path).save(Folder(), EvalMetrics(1.0), HyperparamSet({}))
    assert found_unsynced == []
    assert last[-3:] == ["rename", "rename", "sync"]
    assert tmp_path.stat().st_ino in synced


def test_a_journal_that_cannot_be_written_is_as_it_was(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "events.jsonl")
    journal.append("first", x=1)
    genuine = os.write

    def half(handle: int, data: Any) -> int:
        if len(data) < 20:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return genuine(handle, bytes(data)[: len(data) // 2])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "write", half)
        with pytest.raises(OSError, match="space"):
            journal.append("second", text="x" * 100)
    journal.append("third")
    journal.close()
    assert [event["event"] for event in journal.read()] == ["first", "third"]
