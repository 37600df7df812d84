"""Run as a module with an error's name and a step: every step-th operation fails once with it.

An audit hook, which cannot be removed and which no code of ours can evade, raises in the place of
the n-th operation on the directory's files. What raises no audit event (write, fsync, stat) is
wrapped. One process for each code, since a hook stays for the life of its process.
"""

import errno
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from optix_core.checkpoint_registry import CheckpointRegistry
from optix_core.errors import CheckpointError
from optix_core.run_directory import RunDirectory

from .registry_scene import load_best, loaded_scores, save, scores

AUDITED = {
    "open", "os.chmod", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.scandir",
    "os.truncate", "fcntl.flock",
}  # fmt: skip
WRAPPED = ("write", "fsync", "stat", "fstat")


class Faults:
    """Counts operations while it is armed; the one with number `fail_at` raises."""

    def __init__(self, code: int) -> None:
        self.code, self.count, self.fail_at = code, 0, 0
        sys.addaudithook(self.hear)
        for name in WRAPPED:
            setattr(os, name, self.wrap(name, getattr(os, name)))

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.fail_at and event in AUDITED:
            self.strike()

    def wrap(self, name: str, operation: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **options: Any) -> Any:
            if self.fail_at:
                self.strike()
                # The disk of a test need not be waited for.
                return None if name == "fsync" else operation(*arguments, **options)
            return operation(*arguments, **options)

        return run

    def strike(self) -> None:
        self.count += 1
        if self.count == self.fail_at:
            raise OSError(self.code, os.strerror(self.code))

    def during(self, fail_at: int, work: Callable[[], object]) -> BaseException | None:
        """Let one operation of some work fail; returns what came out of it."""
        self.count, self.fail_at = 0, fail_at
        try:
            work()
        except (OSError, CheckpointError) as error:
            return error
        finally:
            self.fail_at = 0
        return None


def fill(root: Path) -> CheckpointRegistry:
    registry = CheckpointRegistry(root, max_snapshots=3)
    for score in (1.0, 9.0, 2.0, 3.0):
        save(registry, score)
    return registry


def at_every_operation(template: Path, step: int, attempt: Callable[[Path, int], int]) -> int:
    """Attempt something on copies of a directory, failing at n = 1, 1 + step, … until none fires.

    Returns:
        How many operations there were.
    """
    fail_at = 1
    while True:
        root = template.with_name(f"attempt-{fail_at}")
        shutil.copytree(template, root)
        n_operations = attempt(root, fail_at)
        shutil.rmtree(root)
        if n_operations < fail_at:
            return n_operations
        fail_at += step


def saving(faults: Faults, root: Path, fail_at: int) -> int:
    """A save is all or nothing, and saving works again."""
    before, after = [9.0, 2.0, 3.0], ([9.0, 3.0, 4.0], [9.0, 2.0, 3.0, 4.0])
    registry = CheckpointRegistry(root, max_snapshots=3)
    error = faults.during(fail_at, lambda: save(registry, 4.0))
    n_operations = faults.count
    found = list(loaded_scores(root).values())
    assert found in after or (found == before and error is not None), (fail_at, found, error)
    assert load_best(CheckpointRegistry(root)) == 9.0
    save(CheckpointRegistry(root, max_snapshots=3), 5.0)
    assert scores(registry)[0] == 9.0
    assert len(scores(registry)) == 3
    assert not list(root.glob(".tmp-*"))
    return n_operations


def loading(faults: Faults, root: Path, fail_at: int) -> int:
    """Loading gives the best, or the next best where a sector is lost, or an error."""
    found: list[float | None] = []
    before = sorted(root.rglob("*"))
    error = faults.during(fail_at, lambda: found.append(load_best(CheckpointRegistry(root))))
    n_operations = faults.count
    assert found in ([9.0], [3.0]) if error is None else found == []
    assert found != [3.0] or faults.code == errno.EIO
    assert sorted(root.rglob("*")) == before
    return n_operations


def running(faults: Faults, root: Path, fail_at: int) -> int:
    """A run begins or does not, and what its journal acknowledged is read back."""
    directory, written = RunDirectory(root), list[str]()

    def run() -> None:
        directory.begin_run({"run": {"seed": 2}})
        for name in ("first", "second"):
            directory.journal.append(name, run=2)
            written.append(name)
        directory.end_run()

    faults.during(fail_at, run)
    n_operations = faults.count
    directory.end_run()
    assert [event["event"] for event in directory.journal.read()] == ["before", *written]
    again = RunDirectory(root)
    assert again.begin_run({}) in (2, 3)
    again.end_run()
    assert load_best(again.registry()) == 9.0
    return n_operations


def main(code: int, step: int) -> None:
    home = Path(tempfile.mkdtemp())
    try:
        fill(home / "template")
        directory = RunDirectory(home / "template")
        directory.begin_run({"run": {"seed": 1}})
        directory.journal.append("before", run=1)
        directory.end_run()
        faults = Faults(code)
        for attempt in (saving, loading, running):
            n_operations = at_every_operation(home / "template", step, partial(attempt, faults))
            sys.stdout.write(f"{attempt.__name__} {n_operations}\n")
    finally:
        shutil.rmtree(home)


if __name__ == "__main__":
    main(getattr(errno, sys.argv[1]), int(sys.argv[2]))
