"""The journal of a directory: one line of strict JSON an event, appended, never rewritten."""

import errno
import logging
import os
import stat
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, cast, final

import msgspec
import numpy as np
from numpy.typing import NDArray

from optix_core._atomic_io import (
    FILE_MODE,
    MAX_TEXT_BYTES,
    make_directory,
    open_directory,
    write_all,
)
from optix_core._stored_values import MAX_DEPTH, as_plain, shorten
from optix_core.errors import CheckpointCorruptError, CheckpointError

logger = logging.getLogger(__name__)

SCHEMA_VERSION = 1
_HEADER = "journal"
_CHUNK = 65536
_MAX_NAME = 80
_MAX_FIELD_BYTES = 200
"""What of a line that is too long stays as it is: a run's number must not become text."""


@final
class Journal:
    """Events in the order in which they happened.

    An event is one line, written by one call of the system: readers see it whole or not at all.
    Lines may be lost to a power cut until `sync`; a kill of the process loses none. What a torn
    last line held is dropped. Nothing here asks the time: give it as a field named `time_…`.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open a journal; the file is made at the first event."""
        self._path = Path(path).absolute()
        self._handle: int | None = None
        self._is_entry_synced = False
        self._is_synced = True
        self._close = weakref.finalize(self, _nothing)

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    def append(self, event: str, **fields: Any) -> None:
        """Append an event. No value is refused.

        NaN and infinities become null, NumPy scalars and arrays numbers and lists; what has no
        JSON form becomes the beginning of its repr.

        Raises:
            OSError: if it cannot be written; the journal is then as it was.
        """
        line = encode_event(event, fields) + b"\n"
        handle = self._open()
        size = os.fstat(handle).st_size
        if size == 0:
            line = encode_event(_HEADER, {"schema_version": SCHEMA_VERSION}) + b"\n" + line
        self._is_synced = False
        try:
            write_all(handle, line)
        except BaseException:
            os.ftruncate(handle, size)
            raise

    @property
    def size(self) -> int:
        """Bytes so far; 0 where there is no file."""
        if self._handle is not None:
            return os.fstat(self._handle).st_size
        return self._path.stat().st_size if self._path.exists() else 0

    def sync(self) -> None:
        """Make what was appended so far survive a power cut."""
        if self._handle is None or self._is_synced:
            return
        os.fsync(self._handle)
        self._is_synced = True
        if not self._is_entry_synced:
            # The file may be new: its name is an entry of the directory.
            with open_directory(self._path.parent) as parent:
                os.fsync(parent)
            self._is_entry_synced = True

    def cut_back(self, size: int) -> None:
        """Drop the events behind the first `size` bytes, durably; does nothing where none are.

        Raises:
            CheckpointCorruptError: if the journal is shorter: events that were synced are gone.
            OSError: if it cannot be written.
        """
        if self.size < size:
            raise CheckpointCorruptError(
                f"{self._path} has {self.size} bytes where {size} were synced; it is damaged"
            )
        if self.size > size:
            handle = self._open()
            os.ftruncate(handle, size)
            os.fsync(handle)

    def close(self) -> None:
        """Close the file until the next event; safe to call twice."""
        self._handle = None
        self._close()

    def read(self) -> Iterator[dict[str, Any]]:
        """Yield the events, oldest first, one at a time; none where there is no file.

        A damaged line is passed over with a warning, a torn last one without.

        Raises:
            CheckpointError: if a newer version wrote the journal.
            CheckpointCorruptError: if it is a link, or no regular file.
            OSError: if it cannot be read.
        """
        try:
            handle = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
            raise CheckpointCorruptError(f"{self._path} is a link, and none is followed") from error
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)  # of a folder, fdopen would raise and leave it open
            raise CheckpointCorruptError(f"{self._path} is not a regular file")
        with os.fdopen(handle, "rb") as file:
            for number, line in enumerate(_lines(file), start=1):
                event = decode_event(line)
                if event is None:
                    logger.warning("line %d of %s is damaged; passed over", number, self._path)
                elif event["event"] == _HEADER:
                    self._check_version(event.get("schema_version"))
                else:
                    yield event

    def _open(self) -> int:
        if self._handle is None:
            make_directory(self._path.parent)
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            self._handle = os.open(self._path, flags, FILE_MODE)
            self._is_entry_synced = self._is_synced = False
            self._close = weakref.finalize(self, os.close, self._handle)
            _drop_torn_line(self._handle, self._path)
        return self._handle

    def _check_version(self, version: object) -> None:
        if isinstance(version, int) and version > SCHEMA_VERSION:
            raise CheckpointError(
                f"{self._path} has schema_version {version}, this optix-core reads up to "
                f"{SCHEMA_VERSION}; update optix-core"
            )


def encode_event(event: str, fields: Mapping[str, Any]) -> bytes:
    """Return an event as one line of JSON, without its end."""
    try:
        line = _encoder.encode({"event": event, **fields})
        if len(line) < MAX_TEXT_BYTES:
            return line
    except (TypeError, ValueError, OverflowError, RecursionError):
        pass
    plain = {_text(name): _plain(value, 0) for name, value in fields.items()}
    line = _encoder.encode({"event": str(event), **plain})
    if len(line) < MAX_TEXT_BYTES:
        return line
    short = {name[:_MAX_NAME]: _shortened(value) for name, value in plain.items()}
    return _encoder.encode({"event": str(event), **short})


def decode_event(line: bytes) -> dict[str, Any] | None:
    """Read a line back; None where it is no event."""
    try:
        event: object = msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(event, dict):
        return None
    named = cast("dict[str, Any]", event)
    return named if isinstance(named.get("event"), str) else None


def _encode_other(value: object) -> object:
    plain = as_plain(value)
    if plain is not value:
        return shorten(value) if isinstance(plain, complex) else plain
    if isinstance(value, np.ndarray):
        return cast("NDArray[Any]", value).tolist()
    if isinstance(value, Mapping):
        return dict(cast("Mapping[Any, Any]", value))
    return shorten(value)


_encoder = msgspec.json.Encoder(enc_hook=_encode_other)


def _plain(value: object, depth: int) -> object:
    """Make anything encodable, slowly: containers are entered, and not too deeply."""
    if depth < MAX_DEPTH:
        if isinstance(value, Mapping):
            items = cast("Mapping[object, object]", value).items()
            return {_text(name): _plain(item, depth + 1) for name, item in items}
        if isinstance(value, list | tuple):
            return [_plain(item, depth + 1) for item in cast("list[object]", value)]
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    try:
        _encoder.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return _text(shorten(value))
    return value


def _shortened(value: object) -> object:
    return value if len(_encoder.encode(value)) <= _MAX_FIELD_BYTES else shorten(value)


def _text(name: object) -> str:
    text = name if isinstance(name, str) else shorten(name)
    return text.encode(errors="backslashreplace").decode()


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    """Yield complete lines; of one that is too long its beginning, which is no JSON."""
    while line := file.readline(MAX_TEXT_BYTES):
        rest = line
        while rest and not rest.endswith(b"\n"):
            rest = file.readline(MAX_TEXT_BYTES)
        if not rest:
            return
        yield line


def _drop_torn_line(handle: int, path: Path) -> None:
    size = os.fstat(handle).st_size
    end = size
    while end > 0:
        start = max(0, end - _CHUNK)
        found = os.pread(handle, end - start, start).rfind(b"\n")
        if found >= 0:
            end = start + found + 1
            break
        end = start
    if end < size:
        logger.warning("dropping the torn last line of %s: %d bytes", path, size - end)
        os.ftruncate(handle, end)


def _nothing() -> None:
    pass
