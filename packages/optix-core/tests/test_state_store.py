"""The folder of the latest state: whole or absent, newest first, older formats readable."""

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from optix_core.errors import CheckpointCorruptError, CheckpointError, ContractViolationError
from optix_core.state_store import StateStore

GOLDEN = Path(__file__).parent / "data" / "state-1"
TREE: dict[str, Any] = {"a": np.arange(3), "b": [1, None, "text"], "c": (2.5,)}


def write_file(folder: Path) -> None:
    (folder / "inner").mkdir()
    (folder / "inner" / "weights").write_bytes(b"weights")


def nothing(folder: Path) -> None:
    """Write nothing."""


def test_a_state_comes_back_with_its_files(tmp_path: Path) -> None:
    store = StateStore(tmp_path / "state")
    assert store.load() is None
    store.save({"number": 1}, nothing)
    store.save(TREE, write_file)
    saved = StateStore(tmp_path / "state").load()
    assert saved is not None
    assert saved.tree["a"].tolist() == [0, 1, 2]
    assert (saved.tree["b"], saved.tree["c"]) == ([1, None, "text"], (2.5,))
    assert (saved.files / "inner" / "weights").read_bytes() == b"weights"
    assert len(list((tmp_path / "state").iterdir())) == 1


def test_a_state_of_the_first_format_is_read() -> None:
    """Made by `StateStore(GOLDEN).save(TREE, write_file)`."""
    saved = StateStore(GOLDEN).load()
    assert saved is not None
    assert saved.tree["a"].dtype == np.int64
    assert (saved.tree["b"], saved.tree["c"]) == ([1, None, "text"], (2.5,))
    assert (saved.files / "inner" / "weights").read_bytes() == b"weights"


def test_what_a_kill_left_is_passed_over_and_removed(tmp_path: Path) -> None:
    store = StateStore(tmp_path)
    store.save({"number": 1}, nothing)
    (tmp_path / ".tmp-0123456789abcdef").mkdir()
    shutil.copytree(tmp_path / "1", tmp_path / "0")
    saved = store.load()
    assert saved is not None
    assert saved.files.name == "1"
    store.save({"number": 2}, nothing)
    assert [path.name for path in tmp_path.iterdir()] == ["2"]


@pytest.mark.parametrize("tree", [{"bad": object()}, {"long": "x" * 17_000_000}])
def test_what_cannot_be_stored_leaves_the_state_before(tmp_path: Path, tree: Any) -> None:
    store = StateStore(tmp_path)
    store.save({"number": 1}, nothing)
    with pytest.raises(ContractViolationError):
        store.save(tree, nothing)
    saved = store.load()
    assert saved is not None
    assert saved.tree == {"number": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["1"]


def test_a_full_disk_leaves_the_state_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = StateStore(tmp_path)
    store.save({"number": 1}, nothing)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "rename", full)
    with pytest.raises(OSError, match="No space left"):
        store.save({"number": 2}, write_file)
    assert [path.name for path in tmp_path.iterdir()] == ["1"]


@pytest.mark.parametrize("name", ["state.json", "arrays", "inner/weights"])
@pytest.mark.parametrize("damage", [b"", b"{}", b"[" * 100_000])
def test_damage_is_found(tmp_path: Path, name: str, damage: bytes) -> None:
    store = StateStore(tmp_path)
    store.save(TREE, write_file)
    (tmp_path / "1" / name).write_bytes(damage)
    with pytest.raises(CheckpointCorruptError):
        store.load()


def test_a_missing_record_is_found(tmp_path: Path) -> None:
    store = StateStore(tmp_path)
    store.save(TREE, write_file)
    (tmp_path / "1" / "state.json").unlink()
    with pytest.raises(CheckpointCorruptError, match="has no state"):
        store.load()


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    store = StateStore(tmp_path)
    store.save(TREE, write_file)
    record = tmp_path / "1" / "state.json"
    record.write_bytes(record.read_bytes().replace(b'"schema_version":1', b'"schema_version":3'))
    with pytest.raises(CheckpointError, match="update optix-core"):
        store.load()


def test_a_link_in_the_place_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "notes").write_text("mine")
    StateStore(tmp_path / "outside" / "state").save({"a": 1}, lambda folder: None)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "state").symlink_to(tmp_path / "outside" / "state")
    (tmp_path / "run" / "other").symlink_to(tmp_path / "outside")
    for name in ("state", "other"):
        store = StateStore(tmp_path / "run" / name)
        with pytest.raises(CheckpointCorruptError, match="is a link"):
            store.load()
        with pytest.raises(CheckpointCorruptError, match="is a link"):
            store.save({"a": 2}, lambda folder: None)
    assert (tmp_path / "outside" / "notes").read_text() == "mine"
    state = StateStore(tmp_path / "outside" / "state").load()
    assert state is not None
    assert state.tree == {"a": 1}


def test_only_what_is_ours_makes_way_for_the_next_state(tmp_path: Path) -> None:
    store = StateStore(tmp_path / "state")
    store.save({"a": 1}, lambda folder: None)
    (tmp_path / "state" / "notes").write_text("mine")
    (tmp_path / "state" / ".tmp-0123456789abcdef").mkdir()
    store.save({"a": 2}, lambda folder: None)
    assert sorted(path.name for path in (tmp_path / "state").iterdir()) == ["2", "notes"]
