"""What may be stored in JSON and come back with its exact type.

Stored are None, bool, int of any size, float, str, and lists and str-keyed dicts of these. NumPy
scalars become the Python numbers that they are. NaN and infinities, which JSON lacks, are written
as `{"$float": "nan"}`; a key that begins with "$" is written with another "$" before it. Everything
else is refused: tuples (they would come back as lists), arrays, sets, complex numbers, bytes,
enumerations, objects.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any, cast

import numpy as np

from optix_core.errors import CheckpointCorruptError, HyperparamError

MAX_DEPTH = 64
"""No JSON of ours is nested deeper."""
_MAX_SHOWN = 80
_ATOMS = frozenset({type(None), bool, int, float, str})
_NON_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def to_stored(value: object, where: str, depth: int = 0) -> Any:
    """Turn a value into strict JSON types that `from_stored` turns back.

    Args:
        value: what is to be stored.
        where: what to call it in an error.
        depth: how many containers it is inside of.

    Raises:
        HyperparamError: if it cannot come back as it was.
    """
    if depth > MAX_DEPTH // 2:
        raise HyperparamError(f"{where} is nested deeper than {MAX_DEPTH // 2} levels; flatten it")
    plain = as_plain(value)
    kind = type(plain)
    if plain is None or kind is bool or kind is int:
        return plain
    if kind is float:
        number = cast("float", plain)
        return number if math.isfinite(number) else {"$float": repr(number)}
    if kind is str:
        return _checked_text(cast("str", plain), where)
    if kind is list:
        items = enumerate(cast("list[object]", plain))
        return [to_stored(item, f"{where}[{index}]", depth + 1) for index, item in items]
    if kind is dict:
        return _store_dict(cast("dict[object, object]", plain), where, depth)
    raise HyperparamError(
        f"{where} = {shorten(value)} of type {type(value).__name__} cannot be stored; "
        "use None, bool, int, float, str, or lists and dicts of these"
    )


def from_stored(value: Any, depth: int = 0) -> Any:
    """Turn back what `to_stored` made.

    Raises:
        CheckpointCorruptError: if it was not made by `to_stored`, or is nested too deeply.
    """
    if type(value) in _ATOMS:
        return value
    if depth > MAX_DEPTH:
        raise CheckpointCorruptError(f"JSON is nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, list):
        return [from_stored(item, depth + 1) for item in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    stored = cast("dict[str, Any]", value)
    if "$float" in stored:
        return _restore_float(stored)
    # A record holds many numbers and little else: no call for those.
    return {
        _unescape(name) if name.startswith("$") else name: item
        if type(item) in _ATOMS
        else from_stored(item, depth + 1)
        for name, item in stored.items()
    }


def is_same(left: object, right: object) -> bool:
    """Whether two values say the same: NaN equals NaN, NumPy scalars equal Python's numbers.

    1 and 1.0 are the same, True and 1 are not; sequences are compared item by item.
    """
    left, right = as_plain(left), as_plain(right)
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        first, second = cast("Mapping[Any, Any]", left), cast("Mapping[Any, Any]", right)
        return first.keys() == second.keys() and all(
            is_same(item, second[name]) for name, item in first.items()
        )
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return _all_same(cast("list[Any]", left), cast("list[Any]", right))
    if isinstance(left, bool) != isinstance(right, bool):
        return False
    if isinstance(left, float) and isinstance(right, float) and math.isnan(left):
        return math.isnan(right)
    # An array on one side alone would compare element by element, and have no truth.
    return type(left == right) is bool and left == right


def _all_same(left: list[Any], right: list[Any]) -> bool:
    return len(left) == len(right) and all(map(is_same, left, right))


def _store_dict(values: dict[object, object], where: str, depth: int) -> dict[str, Any]:
    stored: dict[str, Any] = {}
    for name, item in values.items():
        if type(name) is not str:
            raise HyperparamError(
                f"{where} has the key {shorten(name)} of type {type(name).__name__}; use str keys"
            )
        key = _checked_text(name, f"a key of {where}")
        escaped = f"${key}" if key.startswith("$") else key
        stored[escaped] = to_stored(item, f"{where}[{key!r}]", depth + 1)
    return stored


def _checked_text(text: str, where: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise HyperparamError(f"{where} = {text!r} is no valid Unicode text") from error
    return text


def _restore_float(stored: Mapping[str, Any]) -> float:
    name: object = stored["$float"]
    if len(stored) != 1 or not isinstance(name, str) or name not in _NON_FINITE:
        raise CheckpointCorruptError(f"expected one of {_names()} alone, got {shorten(stored)}")
    return _NON_FINITE[name]


def _unescape(name: str) -> str:
    if not name.startswith("$$"):
        raise CheckpointCorruptError(f"unknown tag {shorten(name)}")
    return name[1:]


def _names() -> Iterable[str]:
    return tuple(_NON_FINITE)


def as_plain(value: object) -> object:
    """Return the Python number that a NumPy scalar is; anything else as it is.

    What Python has no number for (`longdouble`) stays as it is.
    """
    return cast("object", value.item()) if isinstance(value, np.generic) else value


def shorten(value: object) -> str:
    """Describe a value in few characters; never raises."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - a repr of the user's own; the type says enough
        text = object.__repr__(value)
    return text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 3]}..."
