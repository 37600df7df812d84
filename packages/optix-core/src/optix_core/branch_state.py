"""The state of a learner beside its weights, as a snapshot of a branch holds it.

    snapshot-<sequence>/state/state.json   {"schema_version": 1, "state": {"agent", "steering"}}
    snapshot-<sequence>/state/arrays       the arrays that the state refers to, safetensors

Both are sealed with the weights by the snapshot's record. Snapshots that earlier versions wrote
have no such folder.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import msgspec

from optix_core._atomic_io import (
    DIRECTORY_MODE,
    MAX_TEXT_BYTES,
    open_directory,
    read_capped,
    write_new,
)
from optix_core._sealed_json import check_version, read_version
from optix_core._state_tree import pack, unpack
from optix_core.errors import CheckpointCorruptError, ContractViolationError
from optix_core.weights_file import load_arrays, save_arrays

SCHEMA_VERSION = 1
FOLDER_NAME = "state"
_STATE_NAME = "state.json"
_ARRAYS_NAME = "arrays"


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    schema_version: int
    state: dict[str, Any]


_documents = msgspec.json.Decoder(_Document)
_encoder = msgspec.json.Encoder()


def write_branch_state(snapshot: Path, state: Mapping[str, Any]) -> None:
    """Write a state into the folder of a snapshot.

    Raises:
        ContractViolationError: if something in it cannot be stored, or takes too much.
        OSError: if the disk is full or fails.
    """
    packed, arrays = pack(state, "state")
    data = _encoder.encode(_Document(SCHEMA_VERSION, packed))
    if len(data) > MAX_TEXT_BYTES:
        raise ContractViolationError(
            f"the state of a learner takes {len(data)} bytes beside its arrays, at most "
            f"{MAX_TEXT_BYTES} are stored; let state_dict hold its numbers in arrays"
        )
    folder = snapshot / FOLDER_NAME
    folder.mkdir(mode=DIRECTORY_MODE)
    with open_directory(folder) as handle:
        write_new(handle, _STATE_NAME, data)
    if arrays:
        save_arrays(folder / _ARRAYS_NAME, arrays)


def read_branch_state(snapshot: Path) -> dict[str, Any] | None:
    """Read the state in the folder of a snapshot whose checksums hold; None where it has none.

    Raises:
        CheckpointCorruptError: if it is not what was written.
        CheckpointError: if a newer version wrote it.
        OSError: if it cannot be read.
    """
    folder = snapshot / FOLDER_NAME
    if not folder.is_dir():
        return None
    with open_directory(folder) as handle:
        packed = _decode(read_capped(handle, _STATE_NAME), f"{folder}/{_STATE_NAME}")
    has_arrays = (folder / _ARRAYS_NAME).is_file()
    state: object = unpack(packed, load_arrays(folder / _ARRAYS_NAME) if has_arrays else {})
    if not isinstance(state, dict):
        raise CheckpointCorruptError(f"{folder}/{_STATE_NAME} is damaged: it holds no mapping")
    return cast("dict[str, Any]", state)


def _decode(data: bytes, where: str) -> dict[str, Any]:
    try:
        check_version(read_version(data), SCHEMA_VERSION, where)
        return _documents.decode(data).state
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise CheckpointCorruptError(f"{where} is damaged: {error}") from error
