"""Reads a registry's directory: which snapshots are there, and which of them are damaged.

Only real directories named `snapshot-<sequence>` count. Nothing is locked, written or removed.
"""

import errno
import os
import re
import stat
from dataclasses import dataclass, field
from functools import cached_property

from optix_core._atomic_io import open_directory, read_capped
from optix_core._retention import Candidate
from optix_core._snapshot_files import RECORD_NAME, verify
from optix_core._snapshot_record import SnapshotRecord, decode_record
from optix_core.errors import (
    CheckpointCorruptError,
    CheckpointError,
    CheckpointNotFoundError,
)

_SNAPSHOT_NAME = re.compile(r"snapshot-([0-9]{1,15})", re.ASCII)
MAX_SEQUENCE = 10**15 - 1
MAX_RESCANS = 100
"""How often to look again when another process prunes what is being read."""


@dataclass(frozen=True, kw_only=True)
class Listing:
    """What a directory held when it was read."""

    records: dict[str, SnapshotRecord] = field(default_factory=dict[str, SnapshotRecord])
    """Record by snapshot id, in order of sequence."""
    damaged: dict[str, CheckpointCorruptError] = field(
        default_factory=dict[str, CheckpointCorruptError]
    )
    """What is wrong, by snapshot id."""
    unreadable: dict[str, OSError] = field(default_factory=dict[str, OSError])
    """Why it could not be read, by snapshot id; a later attempt may succeed."""
    last_sequence: int = 0
    """The highest number in a name, of whatever kind that entry is; 0 without any."""

    @cached_property
    def candidates(self) -> list[Candidate]:
        """What retention and ranking need, in order of sequence."""
        return [
            Candidate(
                snapshot_id=name,
                sequence=record.sequence,
                run_id=record.run_id,
                score=record.read_score(),
                is_choice=record.is_choice,
            )
            for name, record in self.records.items()
        ]


def snapshot_name(sequence: int) -> str:
    """Name of the directory of a snapshot.

    Raises:
        CheckpointError: if no such number can be given.
    """
    if not 1 <= sequence <= MAX_SEQUENCE:
        raise CheckpointError(
            f"no sequence number is left after {sequence - 1}; give another directory"
        )
    return f"snapshot-{sequence:06d}"


def sequence_of(name: str) -> int | None:
    """Number of a snapshot by its directory's name; None for any other name."""
    match = _SNAPSHOT_NAME.fullmatch(name)
    return int(match.group(1)) if match else None


def highest_sequence(root: int) -> int:
    """Return the highest number in a name, of whatever kind that entry is; 0 without any."""
    with os.scandir(root) as entries:
        return max((sequence_of(entry.name) or 0 for entry in entries), default=0)


def read_listing(root: int) -> Listing:
    """Read all records of an open directory.

    Raises:
        CheckpointError: if a newer version wrote one of them.
    """
    for _ in range(MAX_RESCANS):
        try:
            return _read_listing_once(root)
        except CheckpointNotFoundError:
            # Pruned while it was read, for the sake of one that was not there yet.
            continue
    raise CheckpointError("snapshots vanish as fast as they are read; try again")


def _read_listing_once(root: int) -> Listing:
    names: list[tuple[int, str]] = []
    last_sequence = 0
    with os.scandir(root) as entries:
        for entry in entries:
            number = sequence_of(entry.name)
            last_sequence = max(last_sequence, number or 0)
            if number is not None and entry.is_dir(follow_symlinks=False):
                names.append((number, entry.name))
    listing = Listing(last_sequence=last_sequence)
    for _, name in sorted(names):
        try:
            listing.records[name] = read_record(root, name)
        except CheckpointCorruptError as error:
            listing.damaged[name] = error
        except OSError as error:
            # A sector that cannot be read is damage; anything else may pass.
            if error.errno == errno.EIO:
                listing.damaged[name] = _as_damage(name, error)
            listing.unreadable[name] = error
    return listing


def read_record(root: int, name: str) -> SnapshotRecord:
    """Read the record of one snapshot.

    Raises:
        CheckpointNotFoundError: if there is no such snapshot, or no longer.
        CheckpointCorruptError: if it is damaged.
        CheckpointError: if a newer version wrote it.
        OSError: if it cannot be read.
    """
    _check_present(root, name)
    try:
        with open_directory(name, inside=root) as folder:
            record = decode_record(read_capped(folder, RECORD_NAME), f"{name}/{RECORD_NAME}")
    except FileNotFoundError as error:
        _check_present(root, name)
        raise CheckpointCorruptError(f"{name} has no {RECORD_NAME}; it is damaged") from error
    if record.sequence != sequence_of(name):
        raise CheckpointCorruptError(
            f"{name} holds snapshot {record.sequence}; it was renamed or overwritten"
        )
    return record


def verify_snapshot(root: int, name: str, record: SnapshotRecord) -> None:
    """Compare all files of a snapshot with its record.

    Raises:
        CheckpointNotFoundError: if it is gone.
        CheckpointCorruptError: if it is damaged.
        OSError: if a file cannot be read.
    """
    try:
        with open_directory(name, inside=root) as folder:
            verify(folder, record.files, name)
    except FileNotFoundError as error:
        _check_present(root, name)
        raise CheckpointCorruptError(f"{name} lost a file while it was read") from error
    except CheckpointCorruptError:
        _check_present(root, name)
        raise
    except OSError as error:
        if error.errno == errno.EIO:
            raise _as_damage(name, error) from error
        raise


def _check_present(root: int, name: str) -> None:
    try:
        mode = os.stat(name, dir_fd=root, follow_symlinks=False).st_mode
    except FileNotFoundError as error:
        raise CheckpointNotFoundError(f"there is no {name} in this directory") from error
    if not stat.S_ISDIR(mode):
        raise CheckpointNotFoundError(f"{name} is no directory, and links are not followed")


def _as_damage(name: str, error: OSError) -> CheckpointCorruptError:
    damage = CheckpointCorruptError(f"{name} cannot be read: {error}")
    damage.__cause__ = error
    return damage
