"""A disk that loses power: what of a directory tree is left, given what was synced until then.

A model of the disk is kept beside the real files. A file's bytes count once it is synced, a
folder's entries once the folder is. From these, images of what may be found are made:

    strict  only what was synced; a file or folder that never was is empty
    eager   every entry is there, as if the names had been written out first, but no unsynced byte
    mixed   each folder is one or the other by chance, each unsynced file cut somewhere
"""

import os
import random
import stat
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from unittest import mock

OPERATIONS = ("open", "write", "fsync", "rename", "mkdir", "unlink", "rmdir", "fchmod", "ftruncate")

Kind = Literal["strict", "eager", "mixed"]


@dataclass(frozen=True)
class Entry:
    """What a name in a folder stands for."""

    node: int
    is_folder: bool


@dataclass
class Disk:
    """What was synced of the tree below a root, and how to tell old from new inodes."""

    root: Path
    files: dict[int, bytes] = field(default_factory=dict[int, bytes])
    folders: dict[int, dict[str, Entry]] = field(default_factory=dict[int, dict[str, Entry]])
    nodes: dict[int, int] = field(default_factory=dict[int, int])
    """Node by inode; an inode that is used again is another node."""
    n_nodes: int = 0

    def node(self, inode: int) -> int:
        return self.nodes[inode] if inode in self.nodes else self.born(inode)

    def born(self, inode: int) -> int:
        self.n_nodes += 1
        self.nodes[inode] = self.n_nodes
        return self.n_nodes

    def listing(self, folder: Path | int) -> dict[str, Entry]:
        with _genuine["scandir"](folder) as entries:
            return {
                entry.name: Entry(self.node(entry.inode()), entry.is_dir(follow_symlinks=False))
                for entry in entries
            }

    def sync(self, handle: int) -> None:
        status = os.fstat(handle)
        if stat.S_ISDIR(status.st_mode):
            self.folders[self.node(status.st_ino)] = self.listing(handle)
        else:
            copy = _genuine["open"](f"/proc/self/fd/{handle}", os.O_RDONLY)
            with os.fdopen(copy, "rb") as file:
                self.files[self.node(status.st_ino)] = file.read()

    def sync_all(self) -> None:
        """Take all that is there for synced."""
        for folder, _, names in os.walk(self.root):
            path = Path(folder)
            self.folders[self.node(path.stat().st_ino)] = self.listing(path)
            for name in names:
                self.files[self.node((path / name).stat().st_ino)] = (path / name).read_bytes()

    def image(self, target: Path, kind: Kind, rng: random.Random) -> Path:
        """Write down what may be found after the power is back."""
        live = {self.node(path.stat().st_ino): path for path in (self.root, *self.root.rglob("*"))}
        self._write(self.node(self.root.stat().st_ino), live, target, (kind, rng))
        return target

    def _write(
        self, node: int, live: dict[int, Path], target: Path, how: tuple[Kind, random.Random]
    ) -> None:
        kind, rng = how
        target.mkdir()
        is_eager = node in live and (kind == "eager" or (kind == "mixed" and rng.random() < 0.5))
        entries = self.listing(live[node]) if is_eager else self.folders.get(node, {})
        for name, entry in entries.items():
            if entry.is_folder:
                self._write(entry.node, live, target / name, how)
            else:
                (target / name).write_bytes(self._bytes(entry.node, live, how))

    def _bytes(self, node: int, live: dict[int, Path], how: tuple[Kind, random.Random]) -> bytes:
        kind, rng = how
        synced = self.files.get(node, b"")
        if kind != "mixed" or node not in live:
            return synced
        written = live[node].read_bytes()
        if not written.startswith(synced):
            return rng.choice([synced, written])
        return written[: rng.randint(len(synced), len(written))]


_genuine: dict[str, Callable[..., Any]] = {
    name: getattr(os, name) for name in (*OPERATIONS, "scandir")
}


@contextmanager
def powered(root: Path, before_each: Callable[[Disk], None]) -> Generator[Disk]:
    """Keep the model of a tree's disk, and call back before every operation that changes it."""
    disk, is_busy = Disk(root), False
    disk.sync_all()

    def wrap(name: str) -> Callable[..., Any]:
        genuine, done = _genuine[name], _AFTER.get(name)

        def run(*arguments: Any, **options: Any) -> Any:
            nonlocal is_busy
            # The disk below the model need not be waited for.
            act = genuine if name != "fsync" else _nothing
            if is_busy:
                return act(*arguments, **options)
            is_busy = True
            try:
                before_each(disk)
                result = act(*arguments, **options)
                if done is not None:
                    done(disk, result, arguments, options)
            finally:
                is_busy = False
            return result

        return run

    with ExitStack() as patches:
        for name in OPERATIONS:
            patches.enter_context(mock.patch.object(os, name, wrap(name)))
        yield disk


def _nothing(handle: int) -> None:
    pass


def _opened(disk: Disk, handle: int, arguments: Any, options: Any) -> None:
    status = os.fstat(handle)
    if arguments[1] & os.O_CREAT and status.st_size == 0:
        disk.born(status.st_ino)


def _made(disk: Disk, result: None, arguments: Any, options: Any) -> None:
    disk.born(os.stat(arguments[0], **options).st_ino)  # noqa: PTH116 - relative to a handle


def _synced(disk: Disk, result: None, arguments: Any, options: Any) -> None:
    disk.sync(arguments[0])


_AFTER: dict[str, Callable[..., None]] = {"open": _opened, "mkdir": _made, "fsync": _synced}


def images(disk: Disk, home: Path, rng: random.Random, n_mixed: int) -> Iterator[Path]:
    """Images of all kinds, one after another."""
    mixed: list[Kind] = ["mixed"] * n_mixed
    for kind in ("strict", "eager", *mixed):
        yield disk.image(home / f"image-{rng.getrandbits(64):016x}", kind, rng)
