"""What readers of our files must do with any bytes: give what was written, or a typed error.

Each target takes bytes, puts them where a file of a run directory is, and reads, then writes there
once more. Only an `OptixError` may come out of the reading. Whatever is found to break a target is
added to its seeds, which every test run tries. Whoever adds a file to the run directory adds a
target here, with a well-formed seed: the tests and the fuzzers find it by its name.
"""

import hashlib
import json
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from numpy.typing import NDArray

from optix_core._snapshot_files import RECORD_NAME
from optix_core.branch_state import read_branch_state, write_branch_state
from optix_core.checkpoint_registry import CheckpointRegistry
from optix_core.errors import CheckpointError, OptixError
from optix_core.journal import Journal
from optix_core.replay_extent import ReplayExtent
from optix_core.run_directory import RunDirectory
from optix_core.state_store import StateStore
from optix_core.weights_file import load_arrays, save_arrays

from .registry_scene import load_best, save, scores

FIRST, SECOND = "snapshot-000001", "snapshot-000002"
N_BODY = 64
"""Bytes of arrays behind a header that is made up."""


@contextmanager
def copy_of(make: Callable[[Path], None]) -> Generator[Path]:
    """A directory for one attempt; what `make` puts there is made once and copied."""
    template = _templates.setdefault(make, Path(tempfile.mkdtemp(prefix="optix-fuzz-")))
    if not any(template.iterdir()):
        make(template)
    with tempfile.TemporaryDirectory(prefix="optix-fuzz-") as folder:
        shutil.copytree(template, folder, dirs_exist_ok=True)
        yield Path(folder)


_templates: dict[Callable[[Path], None], Path] = {}


def two_snapshots(root: Path) -> None:
    registry = CheckpointRegistry(root)
    save(registry, 1.0)
    save(registry, 2.0)


def one_run(root: Path) -> None:
    directory = RunDirectory(root)
    directory.begin_run({"run": {"seed": 3, "agent": "Agent"}, "loop": {"names": ["a", "b"]}})
    directory.journal.append("run_started", run=1, asked={"seed": 3})
    directory.journal.append("window", run=1, window=0, score=1.5, metrics={"n_episodes": 3})
    directory.end_run()


def one_state(root: Path) -> None:
    tree = {"number": 1, "rates": (0.1, np.float32(2.0)), "weights": np.arange(3.0), "none": None}
    StateStore(root / "state").save(tree, _no_files, _Memory())


def one_branch_state(root: Path) -> None:
    write_branch_state(root, {"agent": {"weights": np.arange(3.0), "rates": (0.1,)}, "steering": 1})


class _Memory:
    """Five rows, of which the last four are held, each in a file of its own."""

    def replay_extent(self) -> ReplayExtent | None:
        return ReplayExtent(history=self, appended=5, capacity=4)

    def replay_rows(self, start: int, end: int) -> dict[str, NDArray[Any]]:
        return {"x": np.arange(start, end), "y": np.ones((end - start, 2), np.float32)}

    def state_without_replay(self) -> dict[str, Any]:
        return {}

    def load_with_replay(self, state: Any, rows: Any) -> None:
        """Hold what there is."""


def _no_files(folder: Path) -> None:
    pass


def read_record(data: bytes) -> None:
    """`snapshot.json` of the better of two snapshots is replaced."""
    with copy_of(two_snapshots) as root:
        (root / SECOND / RECORD_NAME).write_bytes(data)
        with suppress(CheckpointError):
            assert load_best(CheckpointRegistry(root)) in (1.0, 2.0)
        with suppress(CheckpointError):
            assert scores(CheckpointRegistry(root))[0] == 1.0
        with suppress(OptixError):
            save(CheckpointRegistry(root), 3.0)
        assert (root / SECOND / RECORD_NAME).read_bytes() == data


def read_sealed_record(data: bytes) -> None:
    """The same, under a checksum that is right."""
    digest = hashlib.sha256(data).hexdigest().encode()
    read_record(b'{"schema_version":1,"sha256":"' + digest + b'","snapshot":' + data + b"}")


def read_manifest(data: bytes) -> None:
    """`manifest.json` is replaced: it is rebuilt, or of a newer version."""
    with copy_of(two_snapshots) as root:
        (root / "manifest.json").write_bytes(data)
        assert load_best(CheckpointRegistry(root)) == 2.0
        try:
            save(CheckpointRegistry(root), 3.0)
        except CheckpointError:
            assert scores(CheckpointRegistry(root)) == [1.0, 2.0]
            assert (root / "manifest.json").read_bytes() == data
        else:
            assert scores(CheckpointRegistry(root)) == [1.0, 2.0, 3.0]
            entries = json.loads((root / "manifest.json").read_bytes())["snapshots"]
            assert [entry["score"] for entry in entries] == [1.0, 2.0, 3.0]


def read_journal(data: bytes) -> None:
    """`events.jsonl` is replaced: what is whole is read, and events can be added behind it."""
    with copy_of(one_run) as root:
        (root / "events.jsonl").write_bytes(data)
        with suppress(CheckpointError):
            before = list(RunDirectory(root).journal.read())
            assert all(isinstance(event["event"], str) for event in before)
            journal = Journal(root / "events.jsonl")
            journal.append("added", run=1)
            journal.close()
            assert list(journal.read()) == [*before, {"event": "added", "run": 1}]
        with suppress(CheckpointError):
            RunDirectory(root).runs()


def read_run_toml(data: bytes) -> None:
    """`run.toml` is replaced: it is read or refused, and the next run keeps it beside its own."""
    with copy_of(one_run) as root:
        (root / "run.toml").write_bytes(data)
        with suppress(CheckpointError):
            RunDirectory(root).read_asked()
        directory = RunDirectory(root)
        try:
            directory.begin_run({"run": {"seed": 4}})
        except CheckpointError:
            assert (root / "run.toml").read_bytes() == data
        else:
            directory.end_run()
            assert directory.read_asked() == {"run": {"seed": 4}}
            assert data in [path.read_bytes() for path in root.glob("run-*.toml")]


def read_state(data: bytes) -> None:
    """`state.json` is replaced: it is read or refused, and the next state takes its place."""
    with copy_of(one_state) as root:
        (root / "state" / "1" / "state.json").write_bytes(data)
        store = StateStore(root / "state")
        with suppress(CheckpointError):
            assert store.load() is not None
        store.save({"number": 2}, _no_files)
        state = store.load()
        assert state is not None
        assert state.tree == {"number": 2}


def read_sealed_state(data: bytes) -> None:
    """The same, under a checksum that is right."""
    digest = hashlib.sha256(data).hexdigest().encode()
    read_state(b'{"schema_version":2,"sha256":"' + digest + b'","state":' + data + b"}")


def read_state_of_branch(data: bytes) -> None:
    """`state.json` of a learner on a branch is replaced: it is read or refused."""
    with copy_of(one_branch_state) as root:
        (root / "state" / "state.json").write_bytes(data)
        with suppress(CheckpointError):
            assert isinstance(read_branch_state(root), dict)


def read_weights(data: bytes) -> None:
    """A weights file of these bytes."""
    with tempfile.TemporaryDirectory(prefix="optix-fuzz-") as folder:
        path = Path(folder) / "weights"
        path.write_bytes(data)
        with suppress(CheckpointError):
            arrays = load_arrays(path)
            assert sum(array.nbytes for array in arrays.values()) <= len(data)
        with suppress(CheckpointError):
            assert list(load_arrays(path, {"a": np.zeros(2)})) == ["a"]


def read_weights_header(data: bytes) -> None:
    """A weights file with this header, and some bytes behind it."""
    read_weights(len(data).to_bytes(8, "little") + data + bytes(N_BODY))


def _weights() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights"
        save_arrays(path, {"a": np.arange(2.0), "b": np.ones((2, 2), np.float32)})
        return path.read_bytes()


def _seeds_from(make: Callable[[Path], None], name: str) -> list[bytes]:
    with copy_of(make) as root:
        return [(root / name).read_bytes()]


def _header(data: bytes) -> bytes:
    return data[8 : 8 + int.from_bytes(data[:8], "little")]


def seeds(target: str) -> list[bytes]:
    """Well-formed input for a target, and what once broke it."""
    made = {
        "record": lambda: _seeds_from(two_snapshots, f"{SECOND}/{RECORD_NAME}"),
        "sealed_record": lambda: [
            json.dumps(json.loads(record)["snapshot"]).encode()
            for record in _seeds_from(two_snapshots, f"{SECOND}/{RECORD_NAME}")
        ],
        "manifest": lambda: _seeds_from(two_snapshots, "manifest.json"),
        "journal": lambda: _seeds_from(one_run, "events.jsonl"),
        "run_toml": lambda: _seeds_from(one_run, "run.toml"),
        "state": lambda: _seeds_from(one_state, "state/1/state.json"),
        "sealed_state": lambda: [
            json.dumps(json.loads(state)["state"]).encode()
            for state in _seeds_from(one_state, "state/1/state.json")
        ],
        "branch_state": lambda: _seeds_from(one_branch_state, "state/state.json"),
        "weights": lambda: [_weights()],
        "weights_header": lambda: [_header(_weights())],
    }[target]()
    return [*made, *_FOUND.get(target, ())]


_FOUND = {
    "run_toml": [
        b"a = " + b"9" * 5000,
        b"schema_version = 1\nrun_id = " + b"9" * 4000 + b"\n[asked]\n",
    ],
}

TARGETS: dict[str, Callable[[bytes], None]] = {
    "record": read_record,
    "sealed_record": read_sealed_record,
    "manifest": read_manifest,
    "journal": read_journal,
    "run_toml": read_run_toml,
    "state": read_state,
    "sealed_state": read_sealed_state,
    "branch_state": read_state_of_branch,
    "weights": read_weights,
    "weights_header": read_weights_header,
}


@contextmanager
def quick() -> Generator[None]:
    """Neither sync to the disk nor log, both of which cost more than the reading."""
    logging.disable(logging.CRITICAL)
    try:
        with mock.patch.object(os, "fsync"):
            yield
    finally:
        logging.disable(logging.NOTSET)


if __name__ == "__main__":
    sys.stdout.write("\n".join(TARGETS))
