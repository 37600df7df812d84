"""Records are read again once their files have changed, and not before."""

import os
import shutil
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from optix_core import _known_records
from optix_core._known_records import KnownRecords
from optix_core._snapshot_listing import Listing, read_listing, read_record
from optix_core._snapshot_record import SnapshotRecord
from optix_core.checkpoint_registry import CheckpointRegistry
from optix_core.errors import CheckpointError

from .registry_scene import save

FIRST, SECOND = "snapshot-000001/snapshot.json", "snapshot-000002/snapshot.json"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    registry = CheckpointRegistry(tmp_path)
    for score in (1.0, 2.0, 3.0):
        save(registry, score)
    return tmp_path


@pytest.fixture
def root(directory: Path) -> Generator[int]:
    handle = os.open(directory, os.O_RDONLY)
    yield handle
    os.close(handle)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of what was read from the disk."""
    names: list[str] = []

    def read(root: int, name: str) -> SnapshotRecord:
        names.append(name)
        return read_record(root, name)

    monkeypatch.setattr(_known_records, "read_record", read)
    return names


def _a_minute_later() -> int:
    return time.time_ns() + 60_000_000_000


def _same(found: Listing, root: int) -> None:
    expected = read_listing(root)
    assert found.records == expected.records
    assert found.damaged.keys() == expected.damaged.keys()
    assert found.last_sequence == expected.last_sequence


def test_what_has_not_changed_is_read_once(root: int, reads: list[str]) -> None:
    known = KnownRecords(_a_minute_later)
    for _ in range(3):
        _same(known.listing(root), root)
    assert reads == ["snapshot-000001", "snapshot-000002", "snapshot-000003"]


def test_what_is_as_young_as_a_tick_is_read_each_time(root: int, reads: list[str]) -> None:
    born = os.stat(FIRST, dir_fd=root).st_ctime_ns
    known = KnownRecords(lambda: born)
    for _ in range(2):
        _same(known.listing(root), root)
    assert len(reads) == 6


def test_a_record_that_was_written_over_is_read_again(directory: Path, root: int) -> None:
    known = KnownRecords(_a_minute_later)
    known.listing(root)
    for damage in (b"{}", b"[]"):
        (directory / FIRST).write_bytes(damage)
        os.utime(directory / FIRST, ns=(0, len(damage) + damage[0]))
        found = known.listing(root)
        _same(found, root)
        assert list(found.damaged) == ["snapshot-000001"]


def test_a_folder_in_the_place_of_another_is_read_again(directory: Path, root: int) -> None:
    known = KnownRecords(_a_minute_later)
    known.listing(root)
    shutil.rmtree((directory / FIRST).parent)
    shutil.copytree((directory / SECOND).parent, (directory / FIRST).parent)
    found = known.listing(root)
    _same(found, root)
    assert "snapshot-000001" in found.damaged


def test_what_is_gone_is_forgotten(directory: Path, root: int, reads: list[str]) -> None:
    known = KnownRecords(_a_minute_later)
    known.listing(root)
    (directory / "snapshot-000001").rename(directory / "elsewhere")
    _same(known.listing(root), root)
    (directory / "elsewhere").rename(directory / "snapshot-000001")
    _same(known.listing(root), root)
    assert reads.count("snapshot-000001") == 2


def test_a_missing_record_is_damage_and_a_newer_one_an_error(directory: Path, root: int) -> None:
    known = KnownRecords(_a_minute_later)
    known.listing(root)
    (directory / FIRST).unlink()
    assert list(known.listing(root).damaged) == ["snapshot-000001"]
    (directory / SECOND).write_bytes(b'{"schema_version": 99}')
    with pytest.raises(CheckpointError, match="update optix-core"):
        known.listing(root)


def test_another_registry_may_write_between_two_saves(tmp_path: Path) -> None:
    one, other = (CheckpointRegistry(tmp_path, 2) for _ in range(2))
    for score in (1.0, 3.0, 2.0, 5.0, 4.0, 9.0):
        save(one, score)
        save(other, score + 0.5)
    assert [snapshot.eval_metrics.primary_score for snapshot in one.snapshots()] == [9.0, 9.5]
