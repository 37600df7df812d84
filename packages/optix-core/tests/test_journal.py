"""The journal keeps whole lines, refuses no value and passes over what is damaged."""

import json
import logging
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optix_core._atomic_io import MAX_TEXT_BYTES
from optix_core.errors import CheckpointCorruptError, CheckpointError
from optix_core.journal import Journal, decode_event, encode_event

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc"), inner, max_size=3),
    max_leaves=10,
)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "run" / "events.jsonl")


def _decoded(**fields: Any) -> dict[str, Any]:
    event = decode_event(encode_event("tested", fields))
    assert event is not None
    return event


def test_no_file_holds_no_events(journal: Journal) -> None:
    assert list(journal.read()) == []
    journal.sync()
    journal.close()
    assert not journal.path.exists()


def test_events_come_back_in_order(journal: Journal) -> None:
    journal.append("begun", run=1)
    journal.sync()
    journal.close()
    journal.close()
    journal.append("ended", run=1, score=2.5)
    assert list(journal.read()) == [
        {"event": "begun", "run": 1},
        {"event": "ended", "run": 1, "score": 2.5},
    ]
    first = json.loads(journal.path.read_text().splitlines()[0])
    assert first == {"event": "journal", "schema_version": 1}


@given(fields=st.dictionaries(st.text("xyz", min_size=1), JSON, max_size=3))
def test_json_values_come_back(fields: dict[str, Any]) -> None:
    assert _decoded(**fields) == {"event": "tested"} | fields


def test_values_without_a_json_form_are_written_all_the_same() -> None:
    endless: list[Any] = []
    endless.append(endless)
    event = _decoded(
        nan=math.nan,
        infinite=np.float32("inf"),
        number=np.int64(3),
        flag=np.bool_(True),
        array=np.arange(3),
        imaginary=1j,
        huge=2**70,
        surrogate="\ud800",
        endless=endless,
        keys={1: {"inner": object}, (1, 2): [{3}, 2**80]},
    )
    assert event["nan"] is None
    assert event["infinite"] is None
    assert (event["number"], event["flag"], event["array"]) == (3, True, [0, 1, 2])
    assert event["imaginary"] == "1j"
    assert str(event["huge"]).startswith("11805")
    assert event["surrogate"] == "\\ud800"
    assert event["keys"]["1"] == {"inner": "<class 'object'>"}
    assert event["keys"]["(1, 2)"][0] in ("{3}", [3])


def test_a_mapping_that_is_no_dict_is_written_as_one() -> None:
    class View(dict[str, int]):
        pass

    assert _decoded(view=View(a=1))["view"] == {"a": 1}
    assert _decoded(environ=os.environ)["environ"] == dict(os.environ)


def test_what_is_too_long_is_shortened() -> None:
    line = encode_event("tested", {"text": "x" * (MAX_TEXT_BYTES + 1), "run": 1})
    assert len(line) < MAX_TEXT_BYTES
    event = decode_event(line)
    assert event is not None
    assert "xxx" in event["text"]
    assert event["run"] == 1


@pytest.mark.parametrize(
    "line", [b"", b"{", b"[1]", b"3", b"\xff", b"{}", b'{"event": 3}', b"[" * 100_000]
)
def test_what_is_no_event_is_none(line: bytes) -> None:
    assert decode_event(line) is None


def test_a_damaged_line_is_passed_over_with_a_warning(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    journal.append("first")
    with journal.path.open("ab") as file:
        file.write(b'{"event": "dam\n')
    journal.append("second")
    assert [event["event"] for event in journal.read()] == ["first", "second"]
    assert "line 3" in caplog.text


def test_a_line_that_is_too_long_is_passed_over(journal: Journal) -> None:
    journal.append("first")
    with journal.path.open("ab") as file:
        file.write(b'{"event": "' + b"x" * (2 * MAX_TEXT_BYTES) + b'"}\n')
    journal.append("second")
    assert [event["event"] for event in journal.read()] == ["first", "second"]


@pytest.mark.parametrize("n_bytes", [1, 20, 70_000, 140_000])
def test_a_torn_last_line_is_not_read_and_goes_at_the_next_event(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, n_bytes: int
) -> None:
    path = tmp_path / "events.jsonl"
    writer = Journal(path)
    writer.append("first")
    writer.close()
    with path.open("ab") as file:
        file.write(b'{"event": "' + b"x" * n_bytes)
    again = Journal(path)
    with caplog.at_level(logging.WARNING):
        assert [event["event"] for event in again.read()] == ["first"]
        assert caplog.text == ""
        again.append("second")
    assert "torn" in caplog.text
    assert [event["event"] for event in again.read()] == ["first", "second"]


def test_a_file_that_is_one_torn_line_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"event": "jour')
    journal = Journal(path)
    journal.append("first")
    assert [json.loads(line)["event"] for line in path.read_text().splitlines()] == [
        "journal",
        "first",
    ]


def test_an_event_that_cannot_be_written_leaves_the_journal_as_it_was(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(handle: int, data: bytes) -> None:
        os.write(handle, data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    journal.append("first")
    before = journal.path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr("optix_core.journal.write_all", half)
        with pytest.raises(OSError, match="No space"):
            journal.append("second", text="x" * 100)
    assert journal.path.read_bytes() == before
    journal.append("third")
    assert [event["event"] for event in journal.read()] == ["first", "third"]


def test_a_newer_journal_is_not_read(journal: Journal) -> None:
    journal.path.parent.mkdir()
    journal.path.write_text('{"event":"journal","schema_version":2}\n{"event":"first"}\n')
    with pytest.raises(CheckpointError, match="update optix-core"):
        list(journal.read())


def test_a_link_is_not_followed(journal: Journal, tmp_path: Path) -> None:
    Journal(tmp_path / "others").append("theirs")
    journal.path.parent.mkdir()
    journal.path.symlink_to(tmp_path / "others")
    with pytest.raises(CheckpointCorruptError, match="is a link"):
        list(journal.read())


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_only_a_regular_file_is_read(journal: Journal, make: Callable[[Path], None]) -> None:
    journal.path.parent.mkdir()
    make(journal.path)
    with pytest.raises(CheckpointCorruptError, match="not a regular file"):
        list(journal.read())


def test_what_is_synced_is_not_synced_again(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    journal.sync()
    assert synced == []  # no event, no file
    journal.append("one")
    synced.clear()  # the directory was made
    for _ in range(2):
        journal.sync()
        assert len(synced) == 2  # the file, and its entry in the directory
    journal.append("two")
    for _ in range(2):
        journal.sync()
        assert len(synced) == 3
