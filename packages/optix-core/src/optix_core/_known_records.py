"""Records that were read before: while their files have not changed, a save reads them no more."""

import os
import time
from collections.abc import Callable
from typing import final

from optix_core._snapshot_files import RECORD_NAME
from optix_core._snapshot_listing import Listing, read_listing, read_record
from optix_core._snapshot_record import SnapshotRecord

_Identity = tuple[int, int, int, int, int]

_SETTLED_NS = 50_000_000
"""A file that was read when it was older than this gets another time stamp by whatever is written
to it later: file systems tick every few milliseconds."""


@final
class KnownRecords:
    """What the writer of one registry knows of the snapshots that are there.

    For the choice of what to keep alone: whoever asks for a snapshot gets what the disk holds. A
    record is taken for unchanged while device, inode, size and both times of its file are the same.
    """

    def __init__(self, clock_ns: Callable[[], int] = time.time_ns) -> None:
        """Know nothing; the clock is that of the file system."""
        self._clock_ns = clock_ns
        self._known: dict[str, tuple[_Identity, SnapshotRecord]] = {}

    def listing(self, root: int) -> Listing:
        """List an open directory, as `read_listing` does."""
        listing = read_listing(root, self._read)
        gone = self._known.keys() - listing.records.keys()
        for name in gone:
            del self._known[name]
        return listing

    def _read(self, root: int, name: str) -> SnapshotRecord:
        try:
            identity = _identity(root, name)
        except OSError:
            return read_record(root, name)
        known = self._known.get(name)
        if known is not None and known[0] == identity:
            return known[1]
        is_settled = self._clock_ns() - identity[-1] > _SETTLED_NS
        record = read_record(root, name)
        if is_settled:
            self._known[name] = identity, record
        return record


def _identity(root: int, name: str) -> _Identity:
    status = os.stat(f"{name}/{RECORD_NAME}", dir_fd=root, follow_symlinks=False)
    return (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )
