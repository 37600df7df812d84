"""Reads `--set name=value`: the type of a value is the type of the default it replaces."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from optix_cli.suggestions import did_you_mean
from optix_core.errors import ConfigurationError

_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})


def split_assignments(texts: Sequence[str]) -> dict[str, str]:
    """Split each `name=value` at its first `=`; the value may be empty or hold further ones.

    Raises:
        ConfigurationError: if there is no `=`, no name, or a name comes twice.
    """
    assignments: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        name = name.strip()
        if not equals or not name:
            raise ConfigurationError(f"--set takes name=value, got {text!r}")
        if name in assignments:
            raise ConfigurationError(f"--set gives {name!r} twice; keep one")
        assignments[name] = value.strip()
    return assignments


def parse_values(assignments: Mapping[str, str], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Parse the text of each assignment by the type of its default.

    Raises:
        ConfigurationError: if a name has no default here, or its text is no such value.
    """
    return {name: _parse_known(name, text, defaults) for name, text in assignments.items()}


def parse_value(name: str, text: str, default: object) -> object:
    """Read a text as the type of `default`; nothing is ever evaluated, a string stays a string.

    A list or tuple is read item by item, split at commas. A default of None takes `none`, a whole
    number, a number, or a string, whichever fits first.

    Raises:
        ConfigurationError: if the text is no such value, or the default is of another type.
    """
    if isinstance(default, list | tuple):
        return _parse_items(name, text, tuple(default))  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(default, str):
        return text
    if default is None:
        return _guess(text)
    parser, wanted = _parser_for(name, default)
    try:
        return parser(text)
    except ValueError as error:
        raise ConfigurationError(f"{name} must be {wanted}, got {text!r}") from error


def unknown_name(name: str, groups: Mapping[str, Sequence[str]]) -> ConfigurationError:
    """Make the error for a name that nothing is called by; it lists what there is, by group."""
    known = [candidate for names in groups.values() for candidate in names]
    listed = "; ".join(f"{title}: {', '.join(sorted(names))}" for title, names in groups.items())
    return ConfigurationError(f"--set knows no {name!r}.{did_you_mean(name, known)} Known {listed}")


def _parse_known(name: str, text: str, defaults: Mapping[str, Any]) -> object:
    if name not in defaults:
        raise unknown_name(name, {"names": list(defaults)})
    return parse_value(name, text, defaults[name])


def _parser_for(name: str, default: object) -> tuple[Callable[[str], object], str]:
    match default:
        case bool():
            return _read_bool, "true or false"
        case int():
            return _read_int, "a whole number"
        case float():
            return _read_float, "a number"
        case _:
            raise ConfigurationError(
                f"{name} cannot be set on the command line: it is a {type(default).__name__}"
            )


def _read_bool(text: str) -> bool:
    folded = text.casefold()
    if folded in _TRUE or folded in _FALSE:
        return folded in _TRUE
    raise ValueError(text)


def _read_int(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        number = float(text)  # 1e5 is a whole number as people write it
        if not number.is_integer():
            raise
        return int(number)


def _read_float(text: str) -> float:
    number = float(text)
    if math.isnan(number):
        raise ValueError(text)
    return number


def _guess(text: str) -> object:
    if text.casefold() in {"none", ""}:
        return None
    for parser in (_read_int, _read_float):
        try:
            return parser(text)
        except (ValueError, OverflowError):
            continue
    return text


def _parse_items(name: str, text: str, default: tuple[object, ...]) -> list[object]:
    pieces = [piece.strip() for piece in text.strip("[]() ").split(",") if piece.strip()]
    example = default[0] if default else None
    return [parse_value(name, piece, example) for piece in pieces]
