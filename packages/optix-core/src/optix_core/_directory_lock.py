"""Locks on a directory that die with the process: one for who writes, one for who runs.

The locks are advisory (`flock`), held on a file in the directory, which stays when they are
released. A process that ends in whatever way releases them; a forked child never keeps them.
"""

import fcntl
import os
import threading
import time
import weakref
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import final

from optix_core._atomic_io import FILE_MODE
from optix_core.errors import CheckpointLockedError

WRITER_LOCK = ".writer.lock"
RUN_LOCK = ".run.lock"


@final
class SharedDirectory:
    """What all registries of this process on one directory have in common."""

    def __init__(self) -> None:
        """Begin with nothing held."""
        self.pins: Counter[str] = Counter()
        """How often each snapshot is declared to be in use."""
        self.saved_pins: frozenset[str] = frozenset()
        """What was in use when the latest state of a run was saved, which refers to it."""
        self.staged: set[str] = set()
        """Temporary names that a save of this process is filling right now."""
        self._threads = threading.RLock()
        self._depth = 0

    @property
    def pinned(self) -> frozenset[str]:
        """The snapshots in use."""
        return frozenset(name for name, count in self.pins.items() if count > 0)

    @contextmanager
    def undisturbed(self) -> Generator[None]:
        """Keep other threads of this process from writing; takes no lock on the disk."""
        with self._threads:
            yield

    @contextmanager
    def writing(self, directory: int, timeout_s: float) -> Generator[None]:
        """Hold the writer lock; a thread that has it may take it again.

        Raises:
            CheckpointLockedError: if another thread or process kept it for `timeout_s`.
        """
        if not self._threads.acquire(timeout=timeout_s):
            raise CheckpointLockedError(
                f"another thread has been writing here for {timeout_s} s; wait for it"
            )
        handle = None
        try:
            if self._depth == 0:
                handle = _lock(directory, WRITER_LOCK, timeout_s)
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
        finally:
            if handle is not None:
                _release(handle)
            self._threads.release()


@final
class RunLock:
    """Says that a loop runs in a directory. Nobody else can take it, this process included."""

    def __init__(self, directory: int) -> None:
        """Take the lock, or fail at once.

        Raises:
            CheckpointLockedError: if a run holds it.
        """
        self._finalizer = weakref.finalize(self, _release, _lock(directory, RUN_LOCK, 0.0))

    def release(self) -> None:
        """Let go; safe to call twice."""
        self._finalizer()


@final
class _Process:
    """What this process shares and holds."""

    def __init__(self) -> None:
        self.shared: weakref.WeakValueDictionary[tuple[int, int], SharedDirectory] = (
            weakref.WeakValueDictionary()
        )
        self.guard = threading.Lock()
        self.held: set[int] = set()

    def forget(self) -> None:
        """Begin anew in a forked child, which shares the parent's open files.

        Kept open there, an orphaned worker would hold a lock beyond the life of its parent.
        Closing does not release what the parent still has open.
        """
        for handle in self.held:
            os.close(handle)
        self.__init__()


# A lock belongs to the process, not to an object: two registries on one directory must know of
# each other. Keyed by device and inode, so that a moved directory is still the same one.
_process = _Process()
os.register_at_fork(after_in_child=_process.forget)


def shared_directory(directory: int) -> SharedDirectory:
    """Return what this process knows of an open directory; kept while somebody refers to it."""
    status = os.fstat(directory)
    key = (status.st_dev, status.st_ino)
    with _process.guard:
        found = _process.shared.get(key)
        if found is None:
            found = _process.shared[key] = SharedDirectory()
        return found


def _lock(directory: int, name: str, timeout_s: float) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(name, flags, FILE_MODE, dir_fd=directory)
    try:
        _wait_for(handle, name, timeout_s)
    except BaseException:
        os.close(handle)
        raise
    _process.held.add(handle)
    return handle


def _wait_for(handle: int, name: str, timeout_s: float) -> None:
    deadline, pause_s = time.monotonic() + timeout_s, 0.001
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() >= deadline:
                raise CheckpointLockedError(_say_locked(name, timeout_s)) from error
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, 0.05)
        else:
            return


def _say_locked(name: str, timeout_s: float) -> str:
    if name == RUN_LOCK:
        return "a run is going on in this directory; wait for its end, or give another directory"
    return f"another process has been writing here for {timeout_s} s; wait for it"


def _release(handle: int) -> None:
    if handle in _process.held:
        _process.held.remove(handle)
        # Closing alone would not do while a child that was just forked has not closed its copy;
        # where unlocking fails it has to do, lest this process wait for itself.
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_UN)
        os.close(handle)
