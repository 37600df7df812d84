"""Trees of arrays and scalars, parted into JSON and arrays, and put together again.

This is what `HasState` deals in: dicts with str keys, lists, tuples, arrays, NumPy scalars, None,
bool, int, float and str, to a depth of 32. Everything comes back with its exact type.
"""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from optix_core._stored_values import MAX_DEPTH, from_stored, shorten, to_stored
from optix_core.errors import CheckpointCorruptError, ContractViolationError, HyperparamError

Arrays = dict[str, NDArray[Any]]

_ARRAY, _SCALAR, _TUPLE, _FLOAT = "$array", "$scalar", "$tuple", "$float"
_TAGS = frozenset({_ARRAY, _SCALAR, _TUPLE, _FLOAT})
_PLAIN = frozenset({bool, int, type(None)})
_STORABLE_KINDS = "biuf"
_MAX_ITEM_BYTES = 8


def pack(tree: object, where: str) -> tuple[Any, Arrays]:
    """Part a tree into strict JSON and the arrays that it refers to by name.

    Args:
        tree: what to store.
        where: what to call it in an error.

    Raises:
        ContractViolationError: if something in it cannot be stored; the text says where.
    """
    arrays: Arrays = {}
    return _pack(tree, where, arrays, 0), arrays


def unpack(packed: Any, arrays: Mapping[str, NDArray[Any]]) -> Any:
    """Put a tree together again.

    Raises:
        CheckpointCorruptError: if it is not what `pack` made, or an array is missing.
    """
    return _unpack(packed, arrays, 0)


def is_storable(tree: object) -> bool:
    """Whether `pack` takes a tree."""
    try:
        pack(tree, "")
    except ContractViolationError:
        return False
    return True


def _pack(value: object, where: str, arrays: Arrays, depth: int) -> Any:
    # First what nearly all is: a long history is made of finite floats in dicts.
    kind = type(value)
    if kind in _PLAIN or (kind is float and isfinite(cast("float", value))):
        return value
    if depth > MAX_DEPTH // 2:
        raise ContractViolationError(
            f"{where} is nested deeper than {MAX_DEPTH // 2} levels; flatten it"
        )
    if kind is dict or isinstance(value, Mapping):
        named = cast("Mapping[Any, Any]", value).items()
        return {
            _key(name, where): _pack(item, f"{where}.{name}", arrays, depth + 1)
            for name, item in named
        }
    if kind is list or kind is tuple:
        items = enumerate(cast("Sequence[object]", value))
        packed = [_pack(item, f"{where}[{i}]", arrays, depth + 1) for i, item in items]
        return packed if kind is list else {_TUPLE: packed}
    if isinstance(value, np.ndarray | np.generic):
        tag = _ARRAY if isinstance(value, np.ndarray) else _SCALAR
        return {tag: _keep(np.asarray(cast("NDArray[Any]", value)), where, arrays)}
    return _pack_scalar(value, where)


def _pack_scalar(value: object, where: str) -> Any:
    try:
        return to_stored(value, where)
    except HyperparamError as error:
        raise ContractViolationError(
            f"{where} = {shorten(value)} of type {type(value).__name__} cannot be stored; a state "
            "is made of dicts, lists, arrays of numbers, and JSON scalars"
        ) from error


def _key(name: object, where: str) -> str:
    if type(name) is not str:
        raise ContractViolationError(
            f"{where} has the key {shorten(name)} of type {type(name).__name__}; use str keys"
        )
    return f"${name}" if name.startswith("$") else name


def _keep(array: NDArray[Any], where: str, arrays: Arrays) -> str:
    if array.dtype.kind not in _STORABLE_KINDS or array.dtype.itemsize > _MAX_ITEM_BYTES:
        raise ContractViolationError(
            f"{where} is an array of {array.dtype}; store bools, integers, or floats of up to 64 "
            "bits"
        )
    name = str(len(arrays))
    arrays[name] = array
    return name


def _unpack(packed: Any, arrays: Mapping[str, NDArray[Any]], depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise CheckpointCorruptError(f"a state is nested deeper than {MAX_DEPTH} levels")
    if isinstance(packed, list):
        return [_unpack(item, arrays, depth + 1) for item in cast("list[Any]", packed)]
    if not isinstance(packed, dict):
        return packed
    named = cast("dict[str, Any]", packed)
    tag = next(iter(named), "")
    if tag in _TAGS:
        return _tagged(tag, named, arrays, depth)
    return {_unescaped(name): _unpack(item, arrays, depth + 1) for name, item in named.items()}


def _tagged(
    tag: str, named: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], depth: int
) -> Any:
    if tag == _FLOAT:
        return from_stored(named)
    item, tags = named[tag], len(named)
    if tag == _TUPLE and isinstance(item, list) and tags == 1:
        return tuple(_unpack(item, arrays, depth + 1))
    array = arrays.get(item) if isinstance(item, str) and tags == 1 else None
    if array is None or (tag == _SCALAR and array.ndim):
        raise CheckpointCorruptError(f"a state refers to what is not there: {shorten(named)}")
    return array if tag == _ARRAY else array[()]


def _unescaped(name: str) -> str:
    if not name.startswith("$"):
        return name
    if not name.startswith("$$"):
        raise CheckpointCorruptError(f"unknown tag {shorten(name)} in a state")
    return name[1:]
