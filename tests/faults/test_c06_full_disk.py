"""C06: the disk is full at whatever moment of a save; nothing is lost and nothing left behind."""

import errno
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest

from optix_core import EvalMetrics
from optix_core.checkpoint_registry import CheckpointRegistry
from optix_core.errors import CheckpointError
from optix_core.run_directory import RunDirectory
from optix_core.weights_file import load_arrays, save_arrays

from .mounts import mounted
from .registry_scene import WeightAgent, load_best, scores

N_LEVELS = 264


class LargeAgent(WeightAgent):
    """Its weights take 40 pages of 4 KB."""

    def save_weights(self, path: str) -> None:
        save_arrays(path, {"weight": np.full(40 * 512 - 32, self.weight)})

    def load_weights(self, path: str) -> None:
        self.weight = float(load_arrays(path)["weight"][0])


def save(registry: CheckpointRegistry, score: float) -> None:
    agent = LargeAgent(score)
    registry.save(agent, EvalMetrics(score), agent.get_hyperparams())


def fill(root: Path) -> CheckpointRegistry:
    registry = CheckpointRegistry(root, max_snapshots=2)
    for score in (9.0, 2.0):
        save(registry, score)
    return registry


def save_on_a_full_disk(registry: CheckpointRegistry) -> bool:
    """Try to save; returns whether it was, after a look at what is there."""
    try:
        save(registry, 3.0)
    except (OSError, CheckpointError):
        assert scores(registry) == [9.0, 2.0]
        is_saved = False
    else:
        assert scores(registry)[-1] == 3.0
        is_saved = True
    assert scores(registry)[0] == 9.0
    best = LargeAgent()
    assert registry.load_best(best) is not None
    assert best.weight == 9.0
    return is_saved


def save_again(registry: CheckpointRegistry) -> None:
    """There is space once more."""
    save(registry, 4.0)
    assert scores(registry) == [9.0, 4.0]
    assert load_best(registry) == 9.0
    assert not list(registry.path.glob(".tmp-*"))


@contextmanager
def room_for(n_bytes: int) -> Generator[None]:
    """Writes succeed until so many bytes are written; the last one in part, as disks do."""
    genuine, left = os.write, n_bytes

    def write(handle: int, data: Any) -> int:
        nonlocal left
        if left == 0 and len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = genuine(handle, bytes(data)[:left])
        left -= written
        return written

    with mock.patch.object(os, "write", write), mock.patch.object(os, "fsync"):
        yield


def test_a_disk_that_is_full_after_so_many_bytes(tmp_path: Path) -> None:
    outcomes: list[bool] = []
    for level in (0, 1, 7, 8, 9, 500, 80_000, 163_839, 163_840, 163_900, 164_200, 165_000):
        registry = fill(tmp_path / str(level))
        before = sorted(registry.path.rglob("*"))
        with room_for(level):
            outcomes.append(save_on_a_full_disk(registry))
        if not outcomes[-1]:
            assert sorted(registry.path.rglob("*")) == before
        save_again(registry)
    assert outcomes[0] is False
    assert outcomes[-1] is True


def used_bytes(path: Path) -> int:
    status = os.statvfs(path)
    return (status.f_blocks - status.f_bfree) * status.f_frsize


def fill_up(disk: Path, leave_pages: int) -> Path:
    """Fill a disk with one file until so many pages are free."""
    status = os.statvfs(disk)
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(max(0, status.f_bfree - leave_pages) * status.f_frsize))
    return ballast


def at_each_level(disk: Path, attempt: Callable[[CheckpointRegistry, int], bool]) -> list[bool]:
    outcomes: list[bool] = []
    for level in range(N_LEVELS):
        registry = fill(disk / "registry")
        outcomes.append(attempt(registry, level))
        save_again(registry)
        (disk / "registry" / "manifest.json").unlink()
        for snapshot in registry.snapshots():
            for path in (disk / "registry" / snapshot.snapshot_id).iterdir():
                path.unlink()
            (disk / "registry" / snapshot.snapshot_id).rmdir()
    return outcomes


@pytest.mark.faults_root
def test_a_disk_of_one_megabyte_at_every_fill_level(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=1m,mode=700") as disk:

        def attempt(registry: CheckpointRegistry, level: int) -> bool:
            ballast = fill_up(disk, level)
            before = used_bytes(disk)
            is_saved = save_on_a_full_disk(registry)
            if not is_saved:
                assert used_bytes(disk) <= before + 4096
            ballast.unlink()
            return is_saved

        outcomes = at_each_level(disk, attempt)
    n_refused = outcomes.index(True)
    assert n_refused >= 40
    assert outcomes == [False] * n_refused + [True] * (N_LEVELS - n_refused)


@pytest.mark.faults_root
def test_a_disk_without_a_free_inode(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=4m,nr_inodes=24,mode=700") as disk:
        outcomes: list[bool] = []
        for n_free in range(12):
            registry = fill(disk / "registry")
            free = os.statvfs(disk).f_ffree
            ballast = [disk / f"file-{number}" for number in range(max(0, free - n_free))]
            for path in ballast:
                path.touch()
            outcomes.append(save_on_a_full_disk(registry))
            for path in ballast:
                path.unlink()
            save_again(registry)
    assert outcomes[0] is False
    assert outcomes[-1] is True


@pytest.mark.faults_root
def test_a_run_on_a_full_disk(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=1m,mode=700") as disk:
        directory = RunDirectory(disk / "run")
        directory.begin_run({"run": {"seed": 1}})
        directory.journal.append("first", text="x" * 4000)
        ballast = fill_up(disk, 1)
        n_written = 0
        for number in range(10):
            try:
                directory.journal.append("more", text="x" * 1500, number=number)
            except OSError as error:
                assert error.errno == errno.ENOSPC  # noqa: PT017 - how often it works is not known
                break
            n_written += 1
        assert n_written < 9
        events = [event["event"] for event in directory.journal.read()]
        assert events == ["first", *["more"] * n_written]
        directory.end_run()
        fill_up_rest = fill_up(disk, 0) if os.statvfs(disk).f_bfree else None
        with pytest.raises(OSError, match="No space left"):
            RunDirectory(disk / "run").begin_run({"run": {"seed": 2}})
        ballast.unlink(missing_ok=True)
        if fill_up_rest is not None:
            fill_up_rest.unlink(missing_ok=True)
        assert directory.begin_run({"run": {"seed": 3}}) == 2
        directory.journal.append("last")
        directory.end_run()
        assert directory.read_asked() == {"run": {"seed": 3}}
