"""The folder of a run's latest state: each save is whole or absent, and takes the last one's place.

    state/<number>/state.json   {"schema_version", "sha256", "state": {"tree", "files", "replay"}}
    state/<number>/arrays       the arrays that the tree refers to, safetensors
    state/<number>/…            what agents wrote themselves
    state/rows-<number>         rows of the learner's replay memory; see `replay_files`

A save is staged under a temporary name, every file checksummed and synced, then renamed to the
next number and the folder synced; only then the one before is removed. The highest number counts.
"""

import os
import re
import secrets
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import msgspec

from optix_core._atomic_io import (
    DIRECTORY_MODE,
    MAX_TEXT_BYTES,
    make_directory,
    names_in,
    open_directory,
    read_capped,
    remove_tree,
    write_new,
)
from optix_core._replay_record import Columns, ReplayRecord
from optix_core._sealed_json import seal_json, unseal_json
from optix_core._snapshot_files import seal_all, verify
from optix_core._snapshot_record import StoredFile
from optix_core._state_tree import pack, unpack
from optix_core.abilities import HasReplay
from optix_core.errors import CheckpointCorruptError, ContractViolationError
from optix_core.replay_files import Draft, ReplayFiles, is_row_file
from optix_core.weights_file import load_arrays, save_arrays

SCHEMA_VERSION = 2
_VERSION_WITHOUT_ROWS = 1
STATE_NAME = "state.json"
_CONTENT = "state"
ARRAYS_NAME = "arrays"

MAX_STATE_BYTES = MAX_TEXT_BYTES - 4096
"""What a state may take as JSON; the envelope comes on top."""

_TEMPORARY = re.compile(r"\.tmp-[0-9a-f]{16}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,15}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedState:
    """A state as it was saved, its files compared with their checksums."""

    tree: Mapping[str, Any]
    """The tree."""
    files: Path
    """The folder of the files beside it; read them before the next save."""
    rows: Columns | None = None
    """The rows of the learner's replay memory, oldest first; None where the tree has all."""


class _Content(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    tree: dict[str, Any]
    files: tuple[StoredFile, ...]
    replay: ReplayRecord | None = None


_contents = msgspec.json.Decoder(_Content)
_encoder = msgspec.json.Encoder()


@final
class StateStore:
    """Keeps the latest state of a run in one folder."""

    def __init__(self, path: Path) -> None:
        """Open a folder; it is made at the first save."""
        self._path = path
        self._rows = ReplayFiles()

    def save(
        self,
        tree: Mapping[str, Any],
        write_files: Callable[[Path], None],
        replay: HasReplay | None = None,
    ) -> None:
        """Save a state in the place of the one before; durable on return.

        Args:
            tree: dicts, lists, arrays and scalars.
            write_files: called with a folder; may add files and folders of other names than ours.
            replay: whose rows belong to the state; those that are new are added to what is there.

        Raises:
            ContractViolationError: if something cannot be stored; the state before stays.
            CheckpointCorruptError: if the folder is a link, or a file of rows was changed.
            OSError: if the disk is full or fails; the state before stays.
        """
        packed, arrays = pack(tree, "state")
        make_directory(self._path)
        with self._opened() as root:
            earlier = [name for name in names_in(root) if _is_ours(name)]
            number = 1 + max((int(name) for name in earlier if _is_number(name)), default=0)
            staged = f".tmp-{secrets.token_hex(8)}"
            try:
                draft = self._append_rows(root, replay)
                os.mkdir(staged, DIRECTORY_MODE, dir_fd=root)
                folder = self._path / staged
                if arrays:
                    save_arrays(folder / ARRAYS_NAME, arrays)
                write_files(folder)
                with open_directory(staged, inside=root) as inner:
                    files = seal_all(inner)
                    write_new(inner, STATE_NAME, _encode(packed, files, draft))
                    os.fsync(inner)
                os.rename(staged, str(number), src_dir_fd=root, dst_dir_fd=root)
            except BaseException:
                with suppress(OSError):
                    _discard(root, str(number), earlier)
                raise
            os.fsync(root)
            self._rows.commit(draft)
            needed = {file.name for file in draft.record.files} if draft else set[str]()
            for name in earlier:
                if name not in needed:
                    remove_tree(root, name)

    def load(self) -> SavedState | None:
        """Read the latest state; None where there is none.

        Raises:
            CheckpointCorruptError: if it or a file of rows is damaged, or the folder is a link.
            CheckpointError: if a newer version wrote it.
            OSError: if it cannot be read.
        """
        if not self._path.is_dir():
            return None
        with self._opened() as root:
            numbers = [int(name) for name in names_in(root) if _is_number(name)]
            if not numbers:
                return None
            name = str(max(numbers))
            where = f"{self._path / name}"
            try:
                with open_directory(name, inside=root) as folder:
                    data = read_capped(folder, STATE_NAME)
                    content = unseal_json(
                        data, _CONTENT, _contents, newest=SCHEMA_VERSION, where=where
                    )
                    verify(folder, content.files, where, record_name=STATE_NAME)
                record = content.replay
                rows = None if record is None else self._rows.load(root, record, where)
            except FileNotFoundError as error:
                raise CheckpointCorruptError(f"{where} has no {STATE_NAME}") from error
        folder_path = self._path / name
        has_arrays = any(file.name == ARRAYS_NAME for file in content.files)
        arrays = load_arrays(folder_path / ARRAYS_NAME) if has_arrays else {}
        return SavedState(tree=unpack(content.tree, arrays), files=folder_path, rows=rows)

    def adopt(self, replay: HasReplay) -> None:
        """Hear that a memory was filled with the rows of the state that was loaded."""
        extent = replay.replay_extent()
        if extent is not None:
            self._rows.adopt(extent)

    def _append_rows(self, root: int, replay: HasReplay | None) -> Draft | None:
        extent = None if replay is None else replay.replay_extent()
        if replay is None or extent is None:
            return None
        draft = self._rows.append(root, replay, extent)
        os.fsync(root)  # new files must be there before a state that tells of them
        return draft

    @contextmanager
    def _opened(self) -> Generator[int]:
        """Open the folder, which nobody may have replaced by a link to one of others."""
        if self._path.is_symlink():
            raise CheckpointCorruptError(f"{self._path} is a link, and none is followed")
        with (
            open_directory(self._path.parent) as parent,
            open_directory(self._path.name, inside=parent) as root,
        ):
            yield root


def _is_ours(name: str) -> bool:
    return _is_number(name) or is_row_file(name) or _TEMPORARY.fullmatch(name) is not None


def _is_number(name: str) -> bool:
    return _NUMBER.fullmatch(name) is not None


def _discard(root: int, name: str, earlier: Collection[str]) -> None:
    """Remove what a save that failed has made; nothing where its state has its name already."""
    names = names_in(root)
    if name not in names:
        for made in names:
            if _is_ours(made) and made not in earlier:
                remove_tree(root, made)


def _encode(packed: Any, files: tuple[StoredFile, ...], draft: Draft | None) -> bytes:
    content = _encoder.encode(_Content(packed, files, draft.record if draft else None))
    if len(content) > MAX_STATE_BYTES:
        raise ContractViolationError(
            f"the state takes {len(content)} bytes beside its arrays, at most {MAX_STATE_BYTES} "
            "are stored; let state_dict hold its numbers in arrays"
        )
    return seal_json(content, _CONTENT, SCHEMA_VERSION if draft else _VERSION_WITHOUT_ROWS)
