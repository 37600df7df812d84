"""A weights file gives back exactly the arrays it was given, and believes no header."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from optix_core.errors import (
    CheckpointCorruptError,
    CheckpointError,
    CheckpointNotFoundError,
    ContractViolationError,
)
from optix_core.weights_file import MAX_HEADER_BYTES, ArraySpec, load_arrays, save_arrays

ARRAYS = hnp.arrays(
    dtype=st.sampled_from(
        ["?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", ">f4", ">i8"]
    ),
    shape=hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
)
VERSION = {"schema_version": "1"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "weights"


def _write(path: Path, header: Any, data: bytes = b"", length: int | None = None) -> None:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    length = len(text) if length is None else length
    path.write_bytes(length.to_bytes(8, "little") + text + data)


def _entry(dtype: str, shape: list[int], begin: int, end: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


@given(arrays=st.dictionaries(st.text("ab/", max_size=4), ARRAYS, max_size=3))
def test_arrays_come_back_exactly(
    arrays: dict[str, NDArray[Any]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "round-trip"
    save_arrays(path, arrays)
    for found in (load_arrays(path), load_arrays(path, arrays)):
        assert found.keys() == arrays.keys()
        for name, array in arrays.items():
            assert found[name].dtype == array.dtype.newbyteorder("=")
            assert found[name].shape == array.shape
            np.testing.assert_array_equal(found[name], array)


@given(arrays=st.dictionaries(st.text('ab/é"', max_size=9), ARRAYS, max_size=4))
def test_files_are_safetensors_with_each_array_aligned(
    arrays: dict[str, NDArray[Any]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "aligned"
    save_arrays(path, arrays)
    data = path.read_bytes()
    length = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:length])
    found = safetensors.numpy.load(data)
    assert header.pop("__metadata__") == VERSION
    assert header.keys() == found.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert (length + header[name]["data_offsets"][0]) % array.itemsize == 0


def test_layout_and_order_do_not_matter(path: Path) -> None:
    matrix = np.arange(6.0).reshape(2, 3)
    given: dict[str, NDArray[Any]] = {
        "b": matrix.T,
        "a": matrix[:, ::2],
        "c": np.array(2.0, np.float32),
    }
    save_arrays(path, given)
    found = load_arrays(
        path, {"c": given["c"], "b": ArraySpec((3, 2), np.dtype("f8")), "a": given["a"]}
    )
    assert list(found) == ["c", "b", "a"]
    np.testing.assert_array_equal(found["b"], matrix.T)
    np.testing.assert_array_equal(found["a"], matrix[:, ::2])
    assert found["c"].shape == ()


def test_a_scalar_counts_as_an_array(path: Path) -> None:
    scalar: Any = np.float32(2.0)
    save_arrays(path, {"a": scalar})
    assert load_arrays(path)["a"].shape == ()


def test_what_is_loaded_is_the_callers_own(path: Path) -> None:
    save_arrays(path, {"a": np.zeros(2)})
    load_arrays(path)["a"][:] = 1.0
    np.testing.assert_array_equal(load_arrays(path)["a"], np.zeros(2))


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({3: np.zeros(1)}, "needs a str"),
        ({"__metadata__": np.zeros(1)}, "other than '__metadata__'"),
        ({"a": [1.0]}, "'a' must be an array, got .* of type list"),
        ({"a": np.array(["x"])}, "has dtype <U1"),
        ({"a": np.array([object()])}, "has dtype object"),
        ({"a": np.zeros(1, np.complex128)}, "has dtype complex128"),
        ({"a": np.zeros(1, np.longdouble)}, "floats of up to 64 bits"),
    ],
)
def test_what_cannot_be_stored_leaves_the_old_file(path: Path, arrays: Any, said: str) -> None:
    save_arrays(path, {"a": np.ones(1)})
    with pytest.raises(ContractViolationError, match=said):
        save_arrays(path, arrays)
    np.testing.assert_array_equal(load_arrays(path)["a"], np.ones(1))


@pytest.mark.parametrize(
    ("expected", "said"),
    [
        ({}, "beside"),
        ({"a": np.zeros((2, 3)), "b": np.zeros(1)}, "lacks .*'b'"),
        ({"a": np.zeros((3, 2))}, r"'a' is float64 \(2, 3\), wanted float64 \(3, 2\)"),
        ({"a": np.zeros(6)}, "wanted"),
        ({"a": np.zeros((2, 3), np.float32)}, "wanted float32"),
    ],
)
def test_another_architecture_is_refused(
    path: Path, expected: dict[str, NDArray[Any]], said: str
) -> None:
    save_arrays(path, {"a": np.zeros((2, 3))})
    with pytest.raises(CheckpointError, match=said) as refusal:
        load_arrays(path, expected)
    assert not isinstance(refusal.value, CheckpointCorruptError)


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(b"", id="no header"),
        pytest.param(b"{", id="no JSON"),
        pytest.param(b"\xff\xff", id="no text"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param([], id="no mapping"),
        pytest.param({}, id="no version"),
        pytest.param({"__metadata__": {"schema_version": "one"}}, id="no number"),
        pytest.param({"__metadata__": {"schema_version": 1}}, id="version is no text"),
        pytest.param({"__metadata__": VERSION, "a": {"dtype": "F8"}}, id="half an entry"),
        pytest.param(
            {"__metadata__": VERSION, "a": _entry("F64", [1], 0, 8) | {"code": "x"}}, id="more"
        ),
        pytest.param({"__metadata__": VERSION, "a": _entry("F64", [-1], 0, 8)}, id="negative"),
        pytest.param({"__metadata__": VERSION, "a": _entry("F64", [2], 0, 8)}, id="too short"),
        pytest.param({"__metadata__": VERSION, "a": _entry("F64", [2], 0, 16)}, id="beyond"),
        pytest.param({"__metadata__": VERSION, "a": _entry("F64", [1], 8, 0)}, id="backwards"),
        pytest.param({"__metadata__": VERSION, "a": _entry("F99", [1], 0, 8)}, id="unknown"),
        pytest.param(
            {"__metadata__": VERSION, "a": _entry("F64", [2**40, 2**40], 0, 8)}, id="bomb"
        ),
        pytest.param(
            {"__metadata__": VERSION, "a": _entry("F32", [1], 4, 8)}, id="does not begin at 0"
        ),
        pytest.param(
            {
                "__metadata__": VERSION,
                "a": _entry("F64", [1], 0, 8),
                "b": _entry("F64", [1], 0, 8),
            },
            id="overlap",
        ),
    ],
)
def test_a_lying_header_is_damage(path: Path, header: Any) -> None:
    _write(path, header, bytes(8))
    with pytest.raises(CheckpointCorruptError):
        load_arrays(path)


@pytest.mark.parametrize("length", [MAX_HEADER_BYTES + 1, 2**63, 2**64 - 1, 10_000])
def test_a_header_that_claims_too_much_is_not_read(path: Path, length: int) -> None:
    _write(path, {"__metadata__": VERSION}, length=length)
    with pytest.raises(CheckpointCorruptError, match=f"claims {length}"):
        load_arrays(path)


def test_a_header_over_the_limit_is_refused_though_it_is_there(path: Path) -> None:
    text = json.dumps({"__metadata__": VERSION}).encode()
    _write(path, text + b" " * (MAX_HEADER_BYTES + 1 - len(text)))
    with pytest.raises(CheckpointCorruptError, match="claims"):
        load_arrays(path)


def test_every_truncation_is_damage(path: Path) -> None:
    save_arrays(path, {"a": np.arange(3.0), "b": np.arange(2)})
    data = path.read_bytes()
    for size in range(len(data)):
        path.write_bytes(data[:size])
        with pytest.raises(CheckpointCorruptError):
            load_arrays(path)


def test_a_newer_file_is_not_read(path: Path) -> None:
    _write(path, {"__metadata__": {"schema_version": "2"}})
    with pytest.raises(CheckpointError, match="update optix-core"):
        load_arrays(path)


def test_only_a_regular_file_is_read(path: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointNotFoundError):
        load_arrays(path)
    with pytest.raises(CheckpointCorruptError, match="not a regular file"):
        load_arrays(tmp_path)
    os.mkfifo(path)
    with pytest.raises(CheckpointCorruptError, match="not a regular file"):
        load_arrays(path)
