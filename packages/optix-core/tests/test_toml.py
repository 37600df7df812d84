"""What is written as TOML is read back by the standard library as it was."""

import math
import tomllib
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optix_core._stored_values import MAX_DEPTH
from optix_core._toml import MAX_BYTES, decode_toml, encode_toml
from optix_core.errors import CheckpointCorruptError, ConfigurationError

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@given(document=st.dictionaries(TEXT, VALUES, max_size=4))
def test_a_document_comes_back(document: dict[str, Any]) -> None:
    assert decode_toml(encode_toml(document).encode(), "here") == document


@given(value=st.floats())
def test_floats_come_back_to_the_bit(value: float) -> None:
    found = tomllib.loads(encode_toml({"value": value}))["value"]
    assert math.isnan(found) if math.isnan(value) else repr(found) == repr(value)


def test_values_stand_before_tables() -> None:
    document = {"inner": {"a": 1}, "b": True, "list": [{"c": "x"}, (1, 2)]}
    assert encode_toml(document) == 'b = true\nlist = [{c = "x"}, [1, 2]]\n\n[inner]\na = 1\n'


def test_numpy_scalars_become_plain_and_none_is_left_out() -> None:
    document = {"a": np.float32(0.5), "b": np.int64(3), "c": np.bool_(False), "d": None}
    assert tomllib.loads(encode_toml(document)) == {"a": 0.5, "b": 3, "c": False}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"a": {"b": object()}}, r"a\.b = <object.*has no TOML form"),
        ({"a": [1, None]}, r"a\.1 = None of type NoneType"),
        ({"a": datetime(2026, 1, 1, tzinfo=UTC)}, "has no TOML form"),
        ({"a": 1j}, "has no TOML form"),
        ({3: 1}, "the key 3 must be a str"),
        ({"a": {3: {}}}, "the key 3 must be a str"),
        ({"a": [{3: 1}]}, "the key 3 must be a str"),
        ({"a": "\ud800"}, "is no Unicode text"),
        ({"\ud800": 1}, "is no Unicode text"),
    ],
)
def test_what_has_no_toml_form_is_refused_by_name(document: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        encode_toml(document)


def test_what_is_nested_too_deeply_is_refused() -> None:
    tables: dict[str, Any] = {}
    items: list[Any] = []
    for _ in range(MAX_DEPTH):
        tables, items = {"t": tables}, [items]
    with pytest.raises(ConfigurationError, match="nested too deeply"):
        encode_toml(tables)
    with pytest.raises(ConfigurationError, match="has no TOML form"):
        encode_toml({"items": items})


def test_more_than_fits_is_neither_written_nor_read() -> None:
    with pytest.raises(ConfigurationError, match=f"at most {MAX_BYTES}"):
        encode_toml({"a": "x" * MAX_BYTES})
    with pytest.raises(CheckpointCorruptError, match=f"more than {MAX_BYTES}"):
        decode_toml(b"#" * (MAX_BYTES + 1), "here")


@pytest.mark.parametrize("key", ["a" + ".a" * 64, "a" + " . a" * 99, '"a"' + '."."' * 64])
def test_a_key_of_many_parts_is_refused(key: str) -> None:
    for text in (f"{key} = 1", f"[{key}]", f"x = ['\"', {{{key} = 1}}, '\"']"):
        with pytest.raises(CheckpointCorruptError, match="more than 64 parts"):
            decode_toml(text.encode(), "here")


@pytest.mark.parametrize("quote", ['"' * 3, "'" * 3])
def test_text_of_several_lines_is_refused(quote: str) -> None:
    with pytest.raises(CheckpointCorruptError, match="several lines"):
        decode_toml(f"a = {quote}\n{quote}".encode(), "here")


def test_text_and_numbers_with_many_points_are_no_key() -> None:
    document = {"text": "a." * 100, "'''": '"".' * 100, "numbers": [0.5] * 100}
    assert decode_toml(encode_toml(document).encode(), "here") == document


@pytest.mark.parametrize(
    "data", [b"a = ", b"a = " + b"9" * 5000, b"\xff", b"a = 1\na = 2", b"a = " + b"[" * 5000]
)
def test_what_is_no_toml_is_damaged(data: bytes) -> None:
    with pytest.raises(CheckpointCorruptError, match="here is no TOML"):
        decode_toml(data, "here")
