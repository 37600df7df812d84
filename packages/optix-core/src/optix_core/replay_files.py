"""The rows of a replay memory in append-only files: each save adds those that are new.

    state/rows-<number>   rows of a fixed width, one behind the other

What a state's record says of a file's beginning stays true for ever: rows are added behind it or
into the next file, and what a kill left beyond the record is cut before more is added. Files whose
rows have all been overwritten in the memory go when the first state that does without is durable.
"""

import hashlib
import os
import re
import stat
from typing import Any, NamedTuple, Protocol, final

import numpy as np
from numpy.typing import NDArray

from optix_core._atomic_io import names_in, write_all, write_new
from optix_core._replay_record import (
    ReplayRecord,
    RowFile,
    StoredColumn,
    check_record,
    columns_of,
    pack_rows,
    row_type,
    unpack_rows,
)
from optix_core.abilities import HasReplay
from optix_core.errors import CheckpointCorruptError
from optix_core.replay_extent import ReplayExtent

FILES_PER_MEMORY = 8
"""A full memory lies in about so many files: an eighth more than it holds is kept on disk."""
MAX_FILE_BYTES = 16 * 1024 * 1024
"""A file that has as many bytes is followed by the next; also how much is copied at once."""

_NAME = re.compile(r"rows-([0-9]{1,15})", re.ASCII)


class _Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def hexdigest(self) -> str: ...


class Draft(NamedTuple):
    """Rows that were written and count from when a state that tells of them is durable."""

    record: ReplayRecord
    history: object
    digest: _Digest | None


def is_row_file(name: str) -> bool:
    """Whether a name is one of ours."""
    return _NAME.fullmatch(name) is not None


@final
class ReplayFiles:
    """Knows which rows the latest state has, and adds to them."""

    def __init__(self) -> None:
        """Know of no rows."""
        self._record: ReplayRecord | None = None
        self._history: object = object()
        self._digest: _Digest | None = None

    def append(self, root: int, replay: HasReplay, extent: ReplayExtent) -> Draft:
        """Write the rows that are new, and sync them; all rows where the history is another.

        Args:
            root: the open folder of states, synced by the caller before a state tells of the rows.
            replay: whose rows they are.
            extent: which rows it holds; at least one.

        Raises:
            ContractViolationError: if what it gives are not rows.
            CheckpointCorruptError: if the last file was cut, or is none of ours.
            OSError: if the disk is full or fails.
        """
        # A save that fails may have left anything behind the last file's rows, and may still count
        # after all: nothing is added to that file any more unless a commit says so.
        digest, self._digest = self._digest, None
        columns = columns_of(replay.replay_rows(extent.first, extent.first))
        files = self._still_held(extent, columns)
        width = row_type(columns).itemsize
        limit = _rows_per_file(extent.capacity, width)
        start = files[-1].end if files else extent.first
        while start < extent.appended:
            if digest is None or not files or files[-1].n_rows >= limit:
                digest = hashlib.sha256()
                files.append(RowFile(_free_number(root), start, 0, ""))
            tail = files[-1]
            n_rows = min(limit - tail.n_rows, extent.appended - start)
            data = pack_rows(replay.replay_rows(start, start + n_rows), columns, n_rows)
            _add(root, tail.name, tail.n_rows * width, data)
            digest.update(data)
            files[-1] = RowFile(tail.number, tail.first, tail.n_rows + n_rows, digest.hexdigest())
            start += n_rows
        return Draft(ReplayRecord(extent.first, columns, tuple(files)), extent.history, digest)

    def commit(self, draft: Draft | None) -> None:
        """Hear that a state with these rows is durable; None for one without rows."""
        self._record, self._history, self._digest = draft or (None, object(), None)

    def load(self, root: int, record: ReplayRecord, where: str) -> dict[str, NDArray[Any]]:
        """Read the rows of a state, oldest first.

        Raises:
            CheckpointCorruptError: if a file is missing, cut, changed, or none of ours.
            OSError: if one cannot be read.
        """
        check_record(record, where)
        kind = row_type(record.columns)
        parts: list[NDArray[Any]] = []
        digest: _Digest | None = None
        for file in record.files:
            data = _read(root, file, kind.itemsize, where)
            digest = hashlib.sha256(data)
            if digest.hexdigest() != file.sha256:
                raise CheckpointCorruptError(
                    f"{where}: {file.name} does not match its checksum; it is damaged"
                )
            parts.append(np.frombuffer(data, kind))
        packed = np.concatenate(parts)[record.first - record.files[0].first :]
        parts.clear()  # or all rows would be held three times
        self._record, self._history, self._digest = record, object(), digest
        return unpack_rows(packed, record.columns)

    def adopt(self, extent: ReplayExtent) -> None:
        """Hear that a memory was filled with what was loaded: it adds to these files from here."""
        record = self._record
        if record is not None and (record.first, record.end) == (extent.first, extent.appended):
            self._history = extent.history

    def _still_held(self, extent: ReplayExtent, columns: tuple[StoredColumn, ...]) -> list[RowFile]:
        """The files that hold rows of a memory; none where the memory has another history."""
        record = self._record
        if (
            record is None
            or record.columns != columns
            or extent.history is not self._history
            or extent.appended < record.end
            or extent.first < record.first
        ):
            return []
        return [file for file in record.files if file.end > extent.first]


def _rows_per_file(capacity: int, width: int) -> int:
    by_bytes = MAX_FILE_BYTES // max(1, width)
    return max(1, min(-(-capacity // FILES_PER_MEMORY), by_bytes))


def _free_number(root: int) -> int:
    numbers = [int(match[1]) for match in map(_NAME.fullmatch, names_in(root)) if match]
    return 1 + max(numbers, default=0)


def _add(root: int, name: str, size: int, data: bytes) -> None:
    """Add to a file of which so many bytes count, and sync it; 0 for a new one."""
    if not size:
        write_new(root, name, data)
        return
    handle = os.open(name, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=root)
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or status.st_size < size:
            raise CheckpointCorruptError(
                f"{name} has {status.st_size} bytes and had {size}; somebody else changed it"
            )
        os.ftruncate(handle, size)
        os.lseek(handle, size, os.SEEK_SET)
        write_all(handle, data)
        os.fsync(handle)
    finally:
        os.close(handle)


def _read(root: int, file: RowFile, width: int, where: str) -> bytes:
    """Read what counts of a file."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        handle = os.open(file.name, flags, dir_fd=root)
    except OSError as error:
        raise CheckpointCorruptError(f"{where}: cannot open {file.name}: {error}") from error
    wanted = file.n_rows * width
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or status.st_size < wanted:
            raise CheckpointCorruptError(
                f"{where}: {file.name} has {status.st_size} bytes, at least {wanted} are needed; "
                "it is damaged"
            )
        with os.fdopen(handle, "rb", closefd=False) as opened:
            return opened.read(wanted)
    finally:
        os.close(handle)
