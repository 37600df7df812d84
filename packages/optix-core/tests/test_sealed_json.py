"""Sealed JSON: what was written comes back, and nothing that was changed does."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optix_core._sealed_json import check_version, seal_json, unseal_json
from optix_core.errors import CheckpointCorruptError, CheckpointError

_decoder = msgspec.json.Decoder(dict[str, int])
CONTENT = b'{"a":1,"b":22}'


def _unseal(data: bytes, newest: int = 2) -> dict[str, int]:
    return unseal_json(data, "content", _decoder, newest=newest, where="it")


def _changed(change: dict[str, Any]) -> bytes:
    return json.dumps(json.loads(seal_json(CONTENT, "content", 2)) | change).encode()


@given(st.dictionaries(st.text(), st.integers(-(2**63), 2**63 - 1)))
def test_content_comes_back(content: dict[str, int]) -> None:
    assert _unseal(seal_json(msgspec.json.encode(content), "content", 1)) == content


@given(data=st.data())
def test_no_changed_byte_goes_unnoticed(data: st.DataObject) -> None:
    sealed = bytearray(seal_json(CONTENT, "content", 1))
    place = data.draw(st.integers(0, len(sealed) - 1))
    sealed[place] ^= data.draw(st.integers(1, 255))
    try:
        found = _unseal(bytes(sealed))
    except CheckpointError:
        return
    # Of the version the checksum knows nothing.
    assert found == {"a": 1, "b": 22}
    assert json.loads(sealed)["schema_version"] == 2


@pytest.mark.parametrize(
    "change",
    [{"more": 1}, {"sha256": 1}, {"sha256": ""}, {"content": {"a": 2}}, {"schema_version": "2"}],
)
def test_an_envelope_of_another_form_is_damage(change: dict[str, Any]) -> None:
    with pytest.raises(CheckpointCorruptError, match=r"^it "):
        _unseal(_changed(change))


def test_a_missing_field_is_damage() -> None:
    for name in ("schema_version", "sha256", "content"):
        envelope = json.loads(seal_json(CONTENT, "content", 2))
        del envelope[name]
        with pytest.raises(CheckpointCorruptError, match=r"^it "):
            _unseal(json.dumps(envelope).encode())


def test_a_newer_version_is_no_damage_whatever_else_it_holds() -> None:
    with pytest.raises(CheckpointError, match="update optix-core") as caught:
        _unseal(_changed({"schema_version": 3, "more": 1}))
    assert not isinstance(caught.value, CheckpointCorruptError)


def test_versions_begin_with_one() -> None:
    check_version(1, 1, "it")
    with pytest.raises(CheckpointCorruptError, match="which never was"):
        check_version(0, 1, "it")
