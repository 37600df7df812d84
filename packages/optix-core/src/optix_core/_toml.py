"""Writes TOML: tables of bools, numbers, text and lists. Reading is the standard library's."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, cast

from optix_core._stored_values import MAX_DEPTH, as_plain, shorten
from optix_core.errors import CheckpointCorruptError, ConfigurationError

MAX_BYTES = 1024 * 1024
"""Of a TOML document of ours; parsing one of this size takes half a second."""
_MAX_KEY_PARTS = MAX_DEPTH
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_QUOTED = re.compile(r"""(?P<lines>"{3}|'{3})|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+'""")
_LONG_KEY = re.compile(
    rf"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]++(?:[ \t]*+\.[ \t]*+[A-Za-z0-9_-]++){{{_MAX_KEY_PARTS}}}"
)
_ESCAPES = {'"': '\\"', "\\": "\\\\"} | {
    chr(code): f"\\u{code:04X}" for code in (*range(0x20), 0x7F)
}


def encode_toml(document: Mapping[str, Any]) -> str:
    """Return a document as TOML: values first, then a table for each mapping.

    NumPy scalars become Python's, tuples lists. TOML has no null: a key whose value is None is
    left out.

    Raises:
        ConfigurationError: if a value has no TOML form, or all take more than `MAX_BYTES`.
    """
    text = "\n".join(_table(document, ())) + "\n"
    size = len(text.encode())
    if size > MAX_BYTES:
        raise ConfigurationError(
            f"what was asked takes {size} bytes as TOML, at most {MAX_BYTES} are stored; shorten it"
        )
    return text


def decode_toml(data: bytes, where: str) -> dict[str, Any]:
    """Read TOML such as `encode_toml` writes.

    Raises:
        CheckpointCorruptError: if it is none, or larger or nested deeper than ours ever is.
    """
    if len(data) > MAX_BYTES:
        raise CheckpointCorruptError(
            f"{where} has {len(data)} bytes; none of ours has more than {MAX_BYTES}"
        )
    try:
        text = data.decode()
        _check_keys(text, where)
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # an int of 5,000 digits is a bare ValueError
        raise CheckpointCorruptError(f"{where} is no TOML: {error}") from error


def _check_keys(text: str, where: str) -> None:
    """Refuse a key of very many parts: the parser's memory grows with their square.

    Text within quotes is left out of account, which needs every quote to end on its line.
    """

    def without_quoted(match: re.Match[str]) -> str:
        if match["lines"]:
            raise CheckpointCorruptError(f"{where} has text of several lines, as none of ours has")
        return "s"

    if _LONG_KEY.search(_QUOTED.sub(without_quoted, text)):
        raise CheckpointCorruptError(f"{where} has a key of more than {_MAX_KEY_PARTS} parts")


def _table(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    if len(path) > MAX_DEPTH // 2:
        raise ConfigurationError(f"{'.'.join(path[:3])}… is nested too deeply; flatten it")
    for name, value in table.items():
        if value is not None and not isinstance(value, Mapping):
            yield f"{_key(name)} = {_value(value, (*path, str(name)))}"
    for name, value in table.items():
        if isinstance(value, Mapping):
            inner = (*path, name)
            yield ""
            yield f"[{'.'.join(map(_key, inner))}]"
            yield from _table(cast("Mapping[str, Any]", value), inner)


def _value(value: object, path: tuple[str, ...]) -> str:
    plain = as_plain(value)
    if isinstance(plain, bool):
        return "true" if plain else "false"
    if isinstance(plain, str):
        return _text(str(plain), path)
    if isinstance(plain, int):
        return int.__repr__(plain)
    if isinstance(plain, float):
        return float.__repr__(plain)
    if len(path) <= MAX_DEPTH // 2:
        if isinstance(plain, list | tuple):
            items = enumerate(cast("list[object]", plain))
            return f"[{', '.join(_value(item, (*path, str(index))) for index, item in items)}]"
        if isinstance(plain, Mapping):
            pairs = cast("Mapping[str, object]", plain).items()
            inner = (f"{_key(name)} = {_value(item, (*path, name))}" for name, item in pairs)
            return f"{{{', '.join(inner)}}}"
    raise ConfigurationError(
        f"{'.'.join(path)} = {shorten(value)} of type {type(value).__name__} has no TOML form; "
        "use bool, int, float, str, or lists and mappings of these"
    )


def _key(name: object) -> str:
    if not isinstance(name, str):
        raise ConfigurationError(f"the key {shorten(name)} must be a str; rename it")
    return name if _BARE_KEY.fullmatch(name) else _text(name, (name,))


def _text(text: str, path: tuple[str, ...]) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ConfigurationError(f"{'.'.join(path)!a} = {text!a} is no Unicode text") from error
    return f'"{"".join(_ESCAPES.get(letter, letter) for letter in text)}"'
