"""Rows on disk: each written once, whole after a kill at any write, gone when none needs them."""

import copy
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from optix_core import replay_files
from optix_core.errors import CheckpointCorruptError, ContractViolationError
from optix_core.state_store import SavedState, StateStore

from .listed_memory import WIDTH, ListedMemory, columns

CALLS = ("mkdir", "write", "fsync", "ftruncate", "rename", "unlink", "rmdir")


@pytest.fixture(autouse=True)
def without_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody cuts the power here, and the disk is slow."""

    def keep(handle: int) -> None:
        """Leave it to the cache."""

    monkeypatch.setattr("os.fsync", keep)


@contextmanager
def watched(before: Callable[[str, tuple[Any, ...]], None]) -> Generator[None]:
    """Hear of each call that changes a file, before it is made."""
    plain = {name: getattr(os, name) for name in CALLS}

    def wrap(name: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            before(name, args)
            return plain[name](*args, **kwargs)

        return call

    for name in CALLS:
        setattr(os, name, wrap(name))
    try:
        yield
    finally:
        for name, function in plain.items():
            setattr(os, name, function)


def save(store: StateStore, memory: ListedMemory, number: int = 0) -> None:
    tree = {"number": number, "state": memory.state_without_replay()}
    store.save(tree, lambda folder: None, memory)


def loaded(path: Path) -> SavedState:
    saved = StateStore(path).load()
    assert saved is not None
    return saved


def assert_holds(saved: SavedState, held: list[float]) -> None:
    rows = saved.rows or columns([])
    assert {name: column.dtype for name, column in rows.items()} == {
        name: column.dtype for name, column in columns([]).items()
    }
    for name, column in columns(held).items():
        assert_array_equal(rows[name], column)


def files_in(path: Path) -> list[Path]:
    return sorted(path.glob("rows-*"), key=lambda file: int(file.name.removeprefix("rows-")))


class Disk:
    """A folder of states and the memory that is saved there, killed and resumed."""

    def __init__(self, root: Path, capacity: int) -> None:
        self.root, self.capacity = root, capacity
        self.path = root / "0"
        self.n_copies = 0
        self.store = StateStore(self.path)
        self.memory = ListedMemory(capacity)
        self.models: list[list[float]] = []
        """What was held at each save."""

    def append(self, n_rows: int) -> None:
        start = float(self.n_copies * 1000 + len(self.memory.values))
        self.memory.values.extend(start + i for i in range(n_rows))

    def save(self, _: int) -> None:
        self._save()
        assert_holds(loaded(self.path), self.memory.held)
        record = json.loads(next(self.path.glob("[0-9]*/state.json")).read_text())["state"]
        files = record.get("replay", {"files": []})["files"]
        assert {file.name for file in files_in(self.path)} == {
            f"rows-{file['number']}" for file in files
        }
        assert all(file["first"] + file["n_rows"] > record["replay"]["first"] for file in files)

    def fail(self, after: int) -> None:
        """Have a save fail at the call after so many; what is held is not lost."""
        left = after

        def count(name: str, args: tuple[Any, ...]) -> None:
            nonlocal left
            left -= 1
            if left < 0 and name != "unlink":
                raise OSError(28, "No space left on device")

        try:
            with watched(count):
                self._save()
        except OSError:
            pass
        self._check_loaded(loaded(self.path) if any(self.path.glob("[0-9]*")) else None)

    def kill(self, after: int) -> None:
        """Kill at the call after so many, half way through it if it writes; then resume."""
        left = after
        self.n_copies += 1
        killed = self.root / str(self.n_copies)

        def count(name: str, args: tuple[Any, ...]) -> None:
            nonlocal left
            left -= 1
            if left == -1 and self.path.exists():
                shutil.copytree(self.path, killed)
                if name == "write" and (rows := files_in(killed)):
                    with rows[-1].open("ab") as file:
                        file.write(args[1][: len(args[1]) // 2])

        with watched(count):
            self._save()
        if not killed.exists():
            shutil.copytree(self.path, killed)
        self.path = killed
        self.resume()

    def resume(self) -> None:
        self.store = StateStore(self.path)
        saved = self.store.load()
        self._check_loaded(saved)
        self.memory = ListedMemory(self.capacity)
        if saved is not None and saved.rows is not None:
            self.memory.load_with_replay(saved.tree["state"], saved.rows)
            self.store.adopt(self.memory)

    def turn_back(self, n_rows: int) -> None:
        """Forget the newest rows, as a branch that is given up does."""
        kept = len(self.memory.values) - n_rows
        if kept > 0:
            self.memory.values, self.memory.history = self.memory.values[:kept], object()

    def _save(self) -> None:
        self.models.append(self.memory.held)
        save(self.store, self.memory, len(self.models) - 1)

    def _check_loaded(self, saved: SavedState | None) -> None:
        """A state is there, the last or the one that was under way, with the rows of then."""
        if saved is not None:
            number: int = saved.tree["number"]
            assert_holds(saved, self.models[number])


STEPS = st.tuples(
    st.sampled_from(["append", "append", "save", "save", "kill", "fail", "turn_back"]),
    st.integers(0, 13),
)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 20), st.lists(STEPS, max_size=12))
def test_rows_are_those_of_the_state_whatever_happened(
    capacity: int, steps: list[tuple[str, int]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        disk = Disk(Path(folder), capacity)
        for name, number in steps:
            getattr(disk, name)(number)
        disk.save(0)
        disk.resume()


def test_a_kill_at_every_write_leaves_the_state_before_or_after(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "disk", 16)
    for _ in range(9):
        disk.append(3)
        disk.save(0)
    found: list[int] = []
    for after in range(40):
        run = copy.copy(disk)
        run.root, run.path = tmp_path / str(after), tmp_path / str(after) / "0"
        shutil.copytree(disk.root, run.root)
        run.models = list(disk.models)
        run.resume()
        before = run.memory.held
        run.append(5)
        wanted = run.memory.held
        run.kill(after)
        assert run.memory.held in (before, wanted)
        found.append(int(run.memory.held == wanted))
        run.append(1)
        run.save(0)
    assert found == sorted(found)
    assert 5 < sum(found) < 35


def test_a_save_writes_what_is_new(tmp_path: Path) -> None:
    """1,000 new rows of 100,000 take the bytes of 1,000 rows, and of a small record."""
    memory, store = ListedMemory(100_000, [float(i) for i in range(150_000)]), StateStore(tmp_path)
    save(store, memory)
    assert sum(file.stat().st_size for file in files_in(tmp_path)) == 100_000 * WIDTH
    memory.values.extend(range(1_000))
    n_bytes = 0

    def count(name: str, args: tuple[Any, ...]) -> None:
        nonlocal n_bytes
        n_bytes += len(args[1]) if name == "write" else 0

    with watched(count):
        save(store, memory)
    assert 1_000 * WIDTH < n_bytes < 1_000 * WIDTH + 4_096
    assert_holds(loaded(tmp_path), memory.held)


def test_what_lies_beyond_a_state_is_cut(tmp_path: Path) -> None:
    memory, store = ListedMemory(80, range(5)), StateStore(tmp_path)
    save(store, memory)
    with files_in(tmp_path)[-1].open("ab") as file:
        file.write(b"left by a kill" * 100)
    memory.values.append(5.0)
    save(store, memory)
    assert files_in(tmp_path)[-1].stat().st_size == 6 * WIDTH


def test_space_stays_bounded(tmp_path: Path) -> None:
    memory, store = ListedMemory(80), StateStore(tmp_path)
    for number in range(300):
        memory.values.extend(number + i / 7 for i in range(7))
        save(store, memory)
        files = files_in(tmp_path)
        assert len(files) <= replay_files.FILES_PER_MEMORY + 2
        assert sum(file.stat().st_size for file in files) <= (80 + 10) * WIDTH
    assert_holds(loaded(tmp_path), memory.held)


def test_a_large_memory_is_written_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay_files, "MAX_FILE_BYTES", 3 * WIDTH)
    memory = ListedMemory(100, range(50))
    save(StateStore(tmp_path), memory)
    assert [file.stat().st_size for file in files_in(tmp_path)] == [3 * WIDTH] * 16 + [2 * WIDTH]
    assert_holds(loaded(tmp_path), memory.held)


def test_another_history_is_written_whole(tmp_path: Path) -> None:
    store = StateStore(tmp_path)
    save(store, ListedMemory(10, range(5)))
    other = ListedMemory(10, range(7, 14))
    save(store, other)
    assert_holds(loaded(tmp_path), other.held)


def test_rows_go_with_the_memory(tmp_path: Path) -> None:
    store = StateStore(tmp_path)
    save(store, ListedMemory(10, range(5)))
    save(store, ListedMemory(10))
    assert not files_in(tmp_path)
    assert loaded(tmp_path).rows is None


@pytest.mark.parametrize("damage", ["cut", "changed", "missing", "link", "folder"])
def test_a_damaged_file_is_named(tmp_path: Path, damage: str) -> None:
    save(StateStore(tmp_path / "state"), ListedMemory(16, range(9)))
    file = files_in(tmp_path / "state")[1]
    data = file.read_bytes()
    file.unlink()
    if damage in ("cut", "changed"):
        file.write_bytes(data[:-1] + (b"" if damage == "cut" else bytes([data[-1] ^ 1])))
    elif damage == "link":
        (tmp_path / "other").write_bytes(data)
        file.symlink_to(tmp_path / "other")
    elif damage == "folder":
        file.mkdir()
    with pytest.raises(CheckpointCorruptError, match=file.name):
        loaded(tmp_path / "state")


@pytest.mark.parametrize("damage", ["cut", "folder"])
def test_nothing_is_added_to_a_file_that_somebody_changed(tmp_path: Path, damage: str) -> None:
    memory, store = ListedMemory(80, range(5)), StateStore(tmp_path)
    save(store, memory)
    (file,) = files_in(tmp_path)
    if damage == "cut":
        file.write_bytes(b"")
    else:
        file.unlink()
        os.mkfifo(file)
    memory.values.append(1.0)
    with pytest.raises((CheckpointCorruptError, OSError)):
        save(store, memory)
    memory.values.append(2.0)
    save(store, memory, 1)
    assert len(files_in(tmp_path)) == 2


CHANGES: list[dict[str, Any]] = [
    {"first": 9},
    {"files": []},
    {"columns": []},
    {"columns": [{"name": "x", "dtype": "<f8", "shape": [0]}]},
    {"columns": [{"name": "x", "dtype": "|O", "shape": []}]},
    {"columns": [{"name": "x", "dtype": "<f8", "shape": [10**9, 10**9]}]},
    {"columns": [{"name": "x", "dtype": "<f8", "shape": []}] * 2},
    {"files": [{"number": 1, "first": 0, "n_rows": 10**15, "sha256": ""}]},
    {"files": [{"number": 1, "first": 0, "n_rows": 0, "sha256": ""}]},
    {"files": [{"number": 1, "first": i, "n_rows": 1, "sha256": ""} for i in (0, 2)]},
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_record_that_cannot_be_is_damage(tmp_path: Path, change: dict[str, Any]) -> None:
    save(StateStore(tmp_path), ListedMemory(80, range(5)))
    path = tmp_path / "1" / "state.json"
    envelope = json.loads(path.read_text())
    envelope["state"]["replay"].update(change)
    envelope["sha256"] = _digest(envelope["state"])
    path.write_bytes(msgspec.json.encode(envelope))
    with pytest.raises(CheckpointCorruptError):
        loaded(tmp_path)


def _digest(state: Any) -> str:
    return hashlib.sha256(msgspec.json.encode(state)).hexdigest()


def test_only_our_names_go_and_no_link_is_followed(tmp_path: Path) -> None:
    state = tmp_path / "state"
    store = StateStore(state)
    save(store, ListedMemory(10, range(5)))
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "notes").write_text("mine")
    (state / "rows-7").symlink_to(tmp_path / "outside")
    others = ("rows-x", "rows-1.txt", "rows-", "arrows-1", f"rows-{'1' * 16}")
    for name in others:
        (state / name).write_text("mine")
    save(store, ListedMemory(10, range(5)))
    assert not (state / "rows-7").is_symlink()
    assert (tmp_path / "outside" / "notes").read_text() == "mine"
    for name in others:
        assert (state / name).read_text() == "mine"


@pytest.mark.parametrize(
    "rows",
    [
        {},
        {"x": np.array(["text"])},
        {"x": np.zeros((3, 0))},
        {"x": np.zeros(3)},
        {"x": np.zeros(1), "y": np.zeros(2)},
    ],
)
def test_what_are_not_rows_leaves_the_state_before(tmp_path: Path, rows: dict[str, Any]) -> None:
    class Wrong(ListedMemory):
        def replay_rows(self, start: int, end: int) -> dict[str, Any]:
            return rows

    store = StateStore(tmp_path)
    save(store, ListedMemory(10, range(5)))
    with pytest.raises(ContractViolationError):
        save(store, Wrong(10, [1.0]))
    assert_holds(loaded(tmp_path), list(range(5)))
    assert len(files_in(tmp_path)) == 3
