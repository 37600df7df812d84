"""Values in JSON: exact types come back, everything else is refused by name."""

import enum
import math
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optix_core import EvalMetrics, HyperparamSet
from optix_core._stored_values import from_stored, is_same, shorten, to_stored
from optix_core.checkpoint_registry import CheckpointRegistry
from optix_core.errors import CheckpointCorruptError, HyperparamError

from .registry_scene import OneWeightAgent


class Colour(enum.StrEnum):
    RED = "red"


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
KEYS = st.text() | st.sampled_from(["$float", "$$", "$"])
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3)
)


def describe(value: Any) -> Any:
    """A value with the type of every part, in which NaN equals itself."""
    if isinstance(value, list):
        return [describe(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, dict):
        return {key: describe(item) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType]
    return type(value), repr(value)


@given(VALUES)
def test_json_types_come_back_exactly(value: Any) -> None:
    text = msgspec.json.encode(to_stored(value, "value"))
    back = from_stored(msgspec.json.decode(text))
    assert describe(back) == describe(value)
    assert is_same(back, value)


@pytest.mark.parametrize(
    ("given_value", "kind", "stored"),
    [
        (np.float32(0.5), float, 0.5),
        (np.float64(0.1), float, 0.1),
        (np.int8(-3), int, -3),
        (np.uint64(2**64 - 1), int, 2**64 - 1),
        (np.bool_(True), bool, True),
        (np.str_("x"), str, "x"),
    ],
)
def test_numpy_scalars_become_python_numbers(given_value: Any, kind: type, stored: Any) -> None:
    for value in (given_value, [given_value], {"key": given_value}):
        wanted = {list: [stored], dict: {"key": stored}}.get(type(value), stored)  # pyright: ignore[reportUnknownArgumentType]
        back = from_stored(to_stored(value, "value"))
        assert describe(back) == describe(wanted)
    assert type(stored) is kind


def cyclic() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


class Unspeakable:
    def __repr__(self) -> str:
        raise ValueError("no")


UNSTORABLE = [
    (1, 2),
    {1},
    1j,
    b"x",
    np.zeros(2),
    np.array(1.0),
    np.longdouble(1.0) if np.longdouble(1.0).itemsize > 8 else object(),
    np.complex64(1),
    np.datetime64("2020-01-01"),
    Colour.RED,
    object(),
    len,
    Unspeakable(),
    "\ud800",
    {1: "x"},
    {"\ud800": 1},
    {Colour.RED: 1},
    [{"deep": (1,)}],
    cyclic(),
]


@pytest.mark.parametrize("value", UNSTORABLE, ids=lambda value: type(value).__name__)
def test_everything_else_is_refused_before_anything_is_written(tmp_path: Path, value: Any) -> None:
    root = tmp_path / "registry"
    with pytest.raises(HyperparamError, match="'odd'"):
        CheckpointRegistry(root).save(
            OneWeightAgent(), EvalMetrics(1.0), HyperparamSet({"fine": 1, "odd": value})
        )
    assert not root.exists()


def test_more_than_fits_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HyperparamError, match="bytes"):
        CheckpointRegistry(tmp_path / "a").save(
            OneWeightAgent(), EvalMetrics(1.0), HyperparamSet({"big": "x" * 9_000_000})
        )


@pytest.mark.parametrize(
    "stored", [{"$float": "1"}, {"$float": "nan", "x": 1}, {"$float": [1]}, {"$x": 1}]
)
def test_what_was_never_written_is_damage(stored: Any) -> None:
    with pytest.raises(CheckpointCorruptError):
        from_stored(stored)


def test_depth_is_bounded_when_read() -> None:
    value: Any = 1
    for _ in range(70):
        value = [value]
    with pytest.raises(CheckpointCorruptError, match="64"):
        from_stored(value)


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        (math.nan, math.nan, True),
        (math.nan, 1.0, False),
        (1, 1.0, True),
        (True, 1, False),
        (np.float32(0.5), 0.5, True),
        ((1, [2]), [1, (2,)], True),
        ([1], [1, 2], False),
        ({"a": math.nan}, {"a": math.nan}, True),
        ({"a": 1}, {"b": 1}, False),
        ([1.0, 2.0], np.array([1.0, 2.0]), False),
        (None, None, True),
        (None, 0, False),
    ],
)
def test_sameness(left: Any, right: Any, same: bool) -> None:  # noqa: FBT001
    assert is_same(left, right) is same
    assert is_same(right, left) is same


def test_a_long_value_is_shown_in_part() -> None:
    assert len(shorten("x" * 1000)) == 80
    assert shorten(Unspeakable()).startswith("<")
