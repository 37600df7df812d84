"""Arrays by name in one safetensors file: what an agent of any framework can save and load."""

import math
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Annotated, Any, NamedTuple, cast

import msgspec
import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from safetensors import SafetensorError

from optix_core._atomic_io import FILE_MODE, write_all
from optix_core._stored_values import shorten
from optix_core.errors import (
    CheckpointCorruptError,
    CheckpointError,
    CheckpointNotFoundError,
    ContractViolationError,
)

Array = NDArray[Any]

SCHEMA_VERSION = 1
MAX_HEADER_BYTES = 16 * 1024 * 1024
"""A header that says it is longer is refused before it is read."""
_DTYPES = {
    "BOOL": np.dtype("?"),
    "U8": np.dtype("u1"),
    "I8": np.dtype("i1"),
    "U16": np.dtype("u2"),
    "I16": np.dtype("i2"),
    "F16": np.dtype("f2"),
    "U32": np.dtype("u4"),
    "I32": np.dtype("i4"),
    "F32": np.dtype("f4"),
    "U64": np.dtype("u8"),
    "I64": np.dtype("i8"),
    "F64": np.dtype("f8"),
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}
_MAX_ITEM_BYTES = 8
_PREFIX_BYTES = 8
_VERSION = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)
_METADATA = "__metadata__"
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**62)]


class ArraySpec(NamedTuple):
    """What an array has to be like."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    dtype: str
    shape: tuple[_Count, ...]
    data_offsets: tuple[_Count, _Count]


_headers = msgspec.json.Decoder(dict[str, msgspec.Raw])
_entries = msgspec.json.Decoder(_Entry)
_metadata = msgspec.json.Decoder(dict[str, str])


def save_arrays(path: str | os.PathLike[str], arrays: Mapping[str, Array]) -> None:
    """Write arrays to a file, in place of what was there.

    Args:
        path: the file.
        arrays: by name; bools, integers, and floats of 16 to 64 bits, of any shape and layout.

    Raises:
        ContractViolationError: if a name or a dtype cannot be stored; nothing was written.
        OSError: if the file cannot be written.
    """
    plain = {name: _storable(name, array) for name, array in arrays.items()}
    data = _serialized(plain)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
    try:
        write_all(handle, data)
    finally:
        os.close(handle)


def load_arrays(
    path: str | os.PathLike[str], expected: Mapping[str, ArraySpec | Array] | None = None
) -> dict[str, Array]:
    """Read what `save_arrays` wrote.

    Sizes are checked against the file, and what is expected against the header, before any of
    the arrays is read.

    Args:
        path: the file.
        expected: name, shape and dtype of every array, as specs or as arrays like those wanted;
            None takes what is there.

    Returns:
        Arrays of their own memory, in the order of `expected`.

    Raises:
        CheckpointNotFoundError: if there is no such file.
        CheckpointCorruptError: if it is damaged, or not of our making.
        CheckpointError: if a newer version wrote it, or its arrays are not those expected.
        OSError: if it cannot be read.
    """
    where = str(path)
    with _opened(Path(path)) as file:
        specs = _read_header(file, where)
        if expected is not None:
            _check_expected(specs, expected, where)
        file.seek(0)
        data = file.read()
    try:
        arrays = safetensors.numpy.load(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise CheckpointCorruptError(f"{where} is damaged: {error}") from error
    return arrays if expected is None else {name: arrays[name] for name in expected}


def _storable(name: object, array: object) -> Array:
    if not isinstance(name, str) or name == _METADATA:
        raise ContractViolationError(
            f"an array needs a str other than {_METADATA!r} as its name, got {shorten(name)}"
        )
    if not isinstance(array, np.ndarray | np.generic):
        raise ContractViolationError(
            f"{name!r} must be an array, got {shorten(array)} of type {type(array).__name__}"
        )
    given = np.asarray(cast("Array", array))
    if given.dtype.kind not in "biuf" or given.dtype.itemsize > _MAX_ITEM_BYTES:
        raise ContractViolationError(
            f"{name!r} has dtype {given.dtype}; store bools, integers, or floats of up to 64 bits"
        )
    # safetensors takes the bytes as they lie in memory: they have to lie in order, little first.
    # np.ascontiguousarray would make one axis of none.
    return np.asarray(given, dtype=given.dtype.newbyteorder("<"), order="C")


def _serialized(arrays: Mapping[str, Array]) -> bytes:
    """Lay arrays out as safetensors does; its own way there takes four times as long.

    Length of the header in eight bytes, the header as JSON, spaces up to a multiple of eight, then
    the arrays without gaps: the largest items first, so that each array is aligned.
    """
    header: dict[str, object] = {_METADATA: {"schema_version": str(SCHEMA_VERSION)}}
    parts, begin = list[memoryview](), 0
    for name in sorted(arrays, key=lambda name: (-arrays[name].itemsize, name)):
        array = arrays[name]
        end = begin + array.nbytes
        header[name] = _Entry(_NAMES[array.dtype.newbyteorder("=")], array.shape, (begin, end))
        parts.append(array.data)
        begin = end
    text = msgspec.json.encode(header)
    text += b" " * (-len(text) % _PREFIX_BYTES)
    return b"".join([len(text).to_bytes(_PREFIX_BYTES, "little"), text, *parts])


def _opened(path: Path) -> IO[bytes]:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError as error:
        raise CheckpointNotFoundError(f"there is no weights file {path}") from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)  # of a folder, fdopen would raise and leave it open
        raise CheckpointCorruptError(f"{path} is not a regular file")
    return os.fdopen(handle, "rb")


def _read_header(file: IO[bytes], where: str) -> dict[str, ArraySpec]:
    size = os.fstat(file.fileno()).st_size
    length = int.from_bytes(file.read(_PREFIX_BYTES), "little")
    room = size - _PREFIX_BYTES - length
    if room < 0 or length > MAX_HEADER_BYTES:
        raise CheckpointCorruptError(
            f"{where} has {size} bytes and a header that claims {length}; it is damaged"
        )
    try:
        header = _headers.decode(file.read(length))
        metadata = _metadata.decode(header.pop(_METADATA, b"{}"))
        entries = {name: _entries.decode(entry) for name, entry in header.items()}
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise CheckpointCorruptError(f"{where} has a damaged header: {error}") from error
    _check_version(metadata.get("schema_version", ""), where)
    if room != max((entry.data_offsets[1] for entry in entries.values()), default=0):
        raise CheckpointCorruptError(
            f"{where} has {room} bytes of arrays, and its header tells of others; it is damaged"
        )
    return {
        name: _spec(entry, room, f"{where}: {shorten(name)}") for name, entry in entries.items()
    }


def _spec(entry: _Entry, room: int, where: str) -> ArraySpec:
    dtype = _DTYPES.get(entry.dtype)
    first, end = entry.data_offsets
    if dtype is None or not (
        first <= end <= room and end - first == math.prod(entry.shape) * dtype.itemsize
    ):
        raise CheckpointCorruptError(
            f"{where} claims {entry.dtype} {shorten(entry.shape)} at bytes "
            f"{first} to {end} of {room}; it is damaged"
        )
    return ArraySpec(entry.shape, dtype)


def _check_version(text: str, where: str) -> None:
    if not _VERSION.fullmatch(text):
        raise CheckpointCorruptError(
            f"{where} has schema_version {shorten(text)}; it is no weights file of Optix"
        )
    if int(text) > SCHEMA_VERSION:
        raise CheckpointError(
            f"{where} has schema_version {text}, this optix-core reads up to {SCHEMA_VERSION}; "
            "update optix-core"
        )


def _check_expected(
    specs: Mapping[str, ArraySpec], expected: Mapping[str, ArraySpec | Array], where: str
) -> None:
    missing, extra = (
        sorted(expected.keys() - specs.keys()),
        sorted(specs.keys() - expected.keys()),
    )
    if missing or extra:
        raise CheckpointError(
            f"{where} is of another architecture: it lacks {shorten(missing)} and has "
            f"{shorten(extra)} beside; build the agent as it was when it was saved"
        )
    for name, wanted in expected.items():
        # Byte order is not a matter of architecture: what is stored lies little first.
        found, dtype = specs[name], wanted.dtype.newbyteorder("=")
        if found.shape != tuple(wanted.shape) or found.dtype != dtype:
            raise CheckpointError(
                f"{where} is of another architecture: {name!r} is {found.dtype} {found.shape}, "
                f"wanted {dtype} {tuple(wanted.shape)}"
            )
