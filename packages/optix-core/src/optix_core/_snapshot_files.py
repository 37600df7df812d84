"""The files of a snapshot: sealed when they are written, compared when they are read.

Files are found by walking the open directory, never by a name that a record holds, so that no
record can lead out of it. Symbolic links and special files are never followed or opened.
"""

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping

from optix_core._atomic_io import chunks_of, names_in, open_directory
from optix_core._snapshot_record import StoredFile
from optix_core.errors import CheckpointCorruptError, ContractViolationError

RECORD_NAME = "snapshot.json"
WEIGHTS_NAME = "weights"
_MAX_FOLDERS_DEEP = 32
_OWNER_ONLY = 0o700


class UnsafeFileError(Exception):
    """Something in a snapshot is neither a plain file nor a folder, or is nested too deeply."""


def seal(directory: int) -> tuple[StoredFile, ...]:
    """Checksum and sync what an agent wrote into a staged snapshot, and close it to others.

    Returns:
        The files and folders, in order of their names.

    Raises:
        ContractViolationError: if the agent wrote nothing, or what cannot be stored.
        OSError: if it cannot be read or synced.
    """
    files = seal_all(directory)
    if not any(file.size >= 0 for file in files):
        raise ContractViolationError(
            "save_weights wrote no file; let it write to the path that it is given"
        )
    if any(file.name == RECORD_NAME for file in files):
        raise ContractViolationError(f"save_weights wrote {RECORD_NAME}, which is not its own")
    return files


def seal_all(directory: int) -> tuple[StoredFile, ...]:
    """Checksum and sync all that is in a staged folder, be it nothing, and close it to others.

    Raises:
        ContractViolationError: if an agent made what cannot be stored.
        OSError: if something cannot be read or synced.
    """
    try:
        return tuple(_walk(directory, "", None))
    except UnsafeFileError as error:
        raise ContractViolationError(
            f"save_weights made {error}; let it write files and folders alone"
        ) from error


def verify(
    directory: int, expected: tuple[StoredFile, ...], where: str, *, record_name: str = RECORD_NAME
) -> None:
    """Compare the files of a snapshot, or of a state, with what its record says.

    Args:
        directory: the open folder.
        expected: what the record says.
        where: what to call the folder in an error.
        record_name: the file that holds the record.

    Raises:
        CheckpointCorruptError: if any is missing, changed, added, or no plain file.
        OSError: if one cannot be read.
    """
    wanted = {file.name: file for file in expected}
    try:
        found = {file.name: file for file in _walk(directory, "", wanted)}
    except UnsafeFileError as error:
        raise CheckpointCorruptError(f"{where} holds {error}; it is damaged") from error
    found.pop(record_name, None)
    if found == wanted:
        return
    names = sorted(
        name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name)
    )
    raise CheckpointCorruptError(
        f"{where} does not match its checksums: {', '.join(map(repr, names[:5]))} "
        "is missing, changed or added"
    )


def _walk(
    directory: int, prefix: str, wanted: Mapping[str, StoredFile] | None
) -> Iterator[StoredFile]:
    """Yield what is there; of a new snapshot, where nothing is wanted, sync and close it too."""
    if prefix.count("/") > _MAX_FOLDERS_DEEP:
        raise UnsafeFileError(f"folders nested deeper than {_MAX_FOLDERS_DEEP}")
    for entry in names_in(directory):
        name = prefix + entry
        mode = os.stat(entry, dir_fd=directory, follow_symlinks=False).st_mode
        if stat.S_ISREG(mode):
            yield _read_file(directory, entry, name, wanted)
        elif stat.S_ISDIR(mode):
            yield StoredFile(name, -1, "")
            with open_directory(entry, inside=directory) as inner:
                yield from _walk(inner, f"{name}/", wanted)
                if wanted is None:
                    _close_to_others(inner, mode)
                    os.fsync(inner)
        else:
            raise UnsafeFileError(f"{name!r}, a link or a special file")


def _close_to_others(handle: int, mode: int) -> None:
    permissions = stat.S_IMODE(mode)
    if permissions & ~_OWNER_ONLY:
        os.fchmod(handle, permissions & _OWNER_ONLY)


def _read_file(
    directory: int, entry: str, name: str, wanted: Mapping[str, StoredFile] | None
) -> StoredFile:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    handle = os.open(entry, flags, dir_fd=directory)
    try:
        status = os.fstat(handle)
        if wanted is not None and (name not in wanted or wanted[name].size != status.st_size):
            # Its size gives it away: a file that pretends to a terabyte is not read to its end.
            return StoredFile(name, status.st_size, "")
        digest = hashlib.sha256()
        for chunk in chunks_of(handle, status.st_size):
            digest.update(chunk)
        if wanted is None:
            _close_to_others(handle, status.st_mode)
            os.fsync(handle)
        return StoredFile(name, status.st_size, digest.hexdigest())
    finally:
        os.close(handle)
