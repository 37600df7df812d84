"""One writer at a time: threads and processes wait, forked children hold nothing."""

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Generator
from pathlib import Path

import pytest

from optix_core._atomic_io import open_directory
from optix_core._directory_lock import RUN_LOCK, WRITER_LOCK, RunLock, shared_directory
from optix_core.errors import CheckpointLockedError

HOLDER = """
import fcntl, sys
with open(sys.argv[1], "w") as file:
    fcntl.flock(file, fcntl.LOCK_EX)
    print("held", flush=True)
    sys.stdin.read()
"""

FORKER = """
import os, sys
from optix_core._atomic_io import open_directory
from optix_core._directory_lock import RunLock
with open_directory(sys.argv[1]) as root:
    lock = RunLock(root)
if os.fork() == 0:
    print("held", flush=True)
    sys.stdin.read()
os._exit(0)
"""


@pytest.fixture
def root(tmp_path: Path) -> Generator[int]:
    with open_directory(tmp_path) as handle:
        yield handle


def _start(program: str, path: Path) -> subprocess.Popen[str]:
    """Start a process, and wait until it holds what it is to hold."""
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_directory_is_shared_by_whoever_opens_it(root: int, tmp_path: Path) -> None:
    shared = shared_directory(root)
    with open_directory(tmp_path) as again:
        assert shared_directory(again) is shared


def test_a_thread_that_writes_may_write_again(root: int) -> None:
    shared = shared_directory(root)
    with shared.writing(root, 0.0), shared.writing(root, 0.0):
        pass
    with shared.writing(root, 0.0):
        pass


def test_another_thread_is_told_to_wait(root: int) -> None:
    shared = shared_directory(root)
    raised: list[BaseException] = []

    def write() -> None:
        try:
            with shared.writing(root, 0.0):
                pass
        except CheckpointLockedError as error:
            raised.append(error)

    with shared.undisturbed():
        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
    assert "another thread" in str(raised[0])


def test_another_process_is_waited_for_until_the_time_is_up(root: int, tmp_path: Path) -> None:
    shared = shared_directory(root)
    with _start(HOLDER, tmp_path / WRITER_LOCK) as holder:
        with (
            pytest.raises(CheckpointLockedError, match=r"another process .* 0\.01 s"),
            shared.writing(root, 0.01),
        ):
            pass
        holder.kill()
        holder.wait()
        with shared.writing(root, 10.0):
            pass


def test_a_run_elsewhere_is_an_error_at_once_and_ends_with_its_process(
    root: int, tmp_path: Path
) -> None:
    with _start(HOLDER, tmp_path / RUN_LOCK) as holder:
        with pytest.raises(CheckpointLockedError, match="a run is going on"):
            RunLock(root)
        holder.kill()
        holder.wait()
        lock = RunLock(root)
    with pytest.raises(CheckpointLockedError):
        RunLock(root)
    lock.release()
    lock.release()
    RunLock(root).release()


def test_a_forked_child_keeps_nothing_that_its_dead_parent_held(root: int, tmp_path: Path) -> None:
    with _start(FORKER, tmp_path) as parent:
        assert parent.wait() == 0
        RunLock(root).release()  # the child lives until its input ends


def test_what_is_released_is_free_while_a_child_is_being_made(root: int, tmp_path: Path) -> None:
    lock = RunLock(root)
    handle = _handle_of(tmp_path / RUN_LOCK)
    copy = os.dup(handle)  # as a child has it until it runs its first line
    try:
        lock.release()
        RunLock(root).release()
    finally:
        os.close(copy)


def test_a_lock_that_cannot_be_undone_is_closed(root: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(handle: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    lock = RunLock(root)
    with monkeypatch.context() as patch:
        patch.setattr("fcntl.flock", refuse)
        lock.release()
    RunLock(root).release()


def _handle_of(path: Path) -> int:
    """The handle under which this process has a file open."""
    for handle in range(3, 4096):
        try:
            status = os.fstat(handle)
        except OSError:
            continue
        if status.st_ino == path.stat().st_ino and status.st_dev == path.stat().st_dev:
            return handle
    raise AssertionError(f"{path} is not open")
