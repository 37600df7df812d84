"""Trees of arrays and scalars come back as they were, types and all."""

from collections import OrderedDict
from typing import Any, cast

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_array_equal

from optix_core._state_tree import is_storable, pack, unpack
from optix_core.errors import CheckpointCorruptError, ContractViolationError

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4)
    | st.floats(width=32).map(np.float32) | st.integers(0, 99).map(np.int64)
)  # fmt: skip
ARRAYS = hnp.arrays(
    st.sampled_from([np.bool_, np.int8, np.uint64, np.float16, np.float32, np.float64]),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
)
TREES: st.SearchStrategy[Any] = st.recursive(
    SCALARS | ARRAYS,
    lambda children: (
        st.lists(children, max_size=3)
        | st.lists(children, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3) | st.just("$array"), children, max_size=3)
    ),
    max_leaves=8,
)


def assert_same(left: Any, right: Any) -> None:
    assert type(left) is type(right)
    match left:
        case dict():
            tree = cast("dict[str, Any]", left)
            assert tree.keys() == right.keys()
            for name, item in tree.items():
                assert_same(item, right[name])
        case list() | tuple():
            for one, other in zip(cast("list[Any]", left), right, strict=True):
                assert_same(one, other)
        case np.ndarray() | np.generic():
            array: Any = cast("Any", left)
            assert array.dtype == right.dtype
            assert_array_equal(array, right)
        case _:
            assert repr(left) == repr(right)


@given(tree=TREES)
def test_a_tree_comes_back(tree: Any) -> None:
    packed, arrays = pack(tree, "it")
    stored = msgspec.json.decode(msgspec.json.encode(packed))
    assert_same(unpack(stored, arrays), tree)
    assert is_storable(tree)


def test_a_mapping_comes_back_as_a_dict() -> None:
    assert unpack(*pack(OrderedDict({"a": 1}), "it")) == {"a": 1}


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ({"a": [object()]}, r"it\.a\[0\] = <object"),
        ({1: 2}, "it has the key 1 of type int"),
        ({"a": np.array(["x"])}, "it.a is an array of <U1"),
        (np.array([1j]), "it is an array of complex128"),
        ({"a": {1, 2}}, "of type set cannot be stored"),
    ],
)
def test_what_cannot_be_stored_is_refused_by_its_place(tree: Any, said: str) -> None:
    with pytest.raises(ContractViolationError, match=said):
        pack(tree, "it")
    assert not is_storable(tree)


def test_depth_is_limited() -> None:
    deep: Any = []
    for _ in range(40):
        deep = [deep]
    with pytest.raises(ContractViolationError, match="nested deeper than 32 levels"):
        pack(deep, "it")
    for _ in range(40):
        deep = [deep]
    with pytest.raises(CheckpointCorruptError, match="nested deeper"):
        unpack(deep, {})


@pytest.mark.parametrize(
    "packed",
    [
        {"$array": "0"},
        {"$array": 0},
        {"$scalar": "matrix"},
        {"$tuple": 3},
        {"$array": "matrix", "more": 1},
        {"$float": "one"},
        {"$what": 1},
    ],
)
def test_what_was_not_packed_is_refused(packed: Any) -> None:
    with pytest.raises(CheckpointCorruptError):
        unpack(packed, {"matrix": np.eye(2)})
