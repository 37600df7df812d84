"""Files that are whole or absent: written beside, synced, renamed, and the directory synced.

Everything works relative to an open directory, so that a path that changes its meaning half way
cannot lead elsewhere, and no function here follows a symbolic link below that directory.
"""

import errno
import os
import stat
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from itertools import chain, takewhile
from pathlib import Path

from optix_core.errors import CheckpointCorruptError

FILE_MODE = 0o600
DIRECTORY_MODE = 0o700
MAX_TEXT_BYTES = 16 * 1024 * 1024
"""No JSON or TOML file of ours is larger; what is larger is refused before it is read."""
_MAX_FOLDERS_DEEP = 64
_CHUNK_BYTES = 256 * 1024


@contextmanager
def open_directory(path: str | Path, *, inside: int | None = None) -> Generator[int]:
    """Open a directory for as long as the context lasts.

    Args:
        path: the directory; below `inside` a single name, and no symbolic link.
        inside: an open directory that holds it.

    Raises:
        OSError: if there is no such directory.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    if inside is not None:
        flags |= os.O_NOFOLLOW
    handle = os.open(path, flags, dir_fd=inside)
    try:
        yield handle
    finally:
        os.close(handle)


def make_directory(path: Path) -> None:
    """Make a directory and its missing parents, durably; does nothing where it exists."""
    lineage = chain((path,), path.parents)
    missing = takewhile(lambda folder: not folder.exists(), lineage)
    for folder in reversed(list(missing)):
        with suppress(FileExistsError):
            folder.mkdir(mode=DIRECTORY_MODE)
        with open_directory(folder.parent) as parent:
            os.fsync(parent)


def names_in(directory: int) -> list[str]:
    """Return the names in an open directory, sorted."""
    with os.scandir(directory) as entries:
        return sorted(entry.name for entry in entries)


def write_new(directory: int, name: str, data: bytes) -> None:
    """Write a file that does not exist yet, and sync it; its directory is left to the caller."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(name, flags, FILE_MODE, dir_fd=directory)
    try:
        write_all(handle, data)
        os.fsync(handle)
    finally:
        os.close(handle)


def write_all(handle: int, data: bytes) -> None:
    """Write all bytes; one system call unless the system takes fewer."""
    written = os.write(handle, data)
    while written < len(data):
        written += os.write(handle, memoryview(data)[written:])


def replace(directory: int, name: str, data: bytes, *, temporary: str) -> None:
    """Put a file in the place of another, or of none, at once and durably.

    Args:
        directory: the open directory that holds both.
        name: the file.
        data: all of its bytes.
        temporary: name to write under; whatever an earlier kill left there goes.
    """
    with suppress(FileNotFoundError):
        os.unlink(temporary, dir_fd=directory)
    try:
        write_new(directory, temporary, data)
        os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary, dir_fd=directory)
        raise
    os.fsync(directory)


def read_capped(directory: int, name: str) -> bytes:
    """Read a regular file of at most `MAX_TEXT_BYTES`.

    Raises:
        CheckpointCorruptError: if it is larger, a symbolic link, or no regular file.
        OSError: if it does not exist or cannot be read.
    """
    if not stat.S_ISREG(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
        raise CheckpointCorruptError(f"{name} is not a regular file; nothing else is read")
    handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    try:
        size = os.fstat(handle).st_size
        if size > MAX_TEXT_BYTES:
            raise CheckpointCorruptError(
                f"{name} has {size} bytes; none of ours has more than {MAX_TEXT_BYTES}"
            )
        return b"".join(chunks_of(handle, size))
    finally:
        os.close(handle)


def chunks_of(handle: int, size: int) -> Iterator[bytes]:
    """Yield the first bytes of an open file, in pieces of at most 256 KiB.

    A file object would ask the system four times as often what it has opened.

    Args:
        handle: the file, from where it stands.
        size: how many bytes; a file that is shorter gives fewer.
    """
    while size > 0 and (chunk := os.read(handle, min(size, _CHUNK_BYTES))):
        yield chunk
        size -= len(chunk)


def remove_tree(directory: int, name: str, depth: int = 0) -> None:
    """Remove a file, a link or a folder with all that is in it; nothing where it is gone.

    Links are removed, never followed, because every level is opened by its handle.

    Raises:
        OSError: if something cannot be removed, or folders are nested deeper than ours ever are.
    """
    if depth > _MAX_FOLDERS_DEEP:
        raise OSError(errno.ELOOP, f"folders nested deeper than {_MAX_FOLDERS_DEEP}", name)
    try:
        mode = os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode
        if not stat.S_ISDIR(mode):
            os.unlink(name, dir_fd=directory)
            return
        with open_directory(name, inside=directory) as inner:
            for entry in names_in(inner):
                remove_tree(inner, entry, depth + 1)
        os.rmdir(name, dir_fd=directory)
    except FileNotFoundError:
        return
