"""X01-X03: poisoned names, links and made-up checksums lead to nothing outside the directory."""

import os
import random
import re
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from optix_core._snapshot_record import StoredFile, decode_record, encode_record
from optix_core.checkpoint_registry import CheckpointRegistry
from optix_core.errors import CheckpointError, CheckpointNotFoundError, OptixError
from optix_core.run_directory import RunDirectory

from .registry_scene import WeightAgent, load_best, save, tree

OURS = re.compile(r"snapshot-[0-9]{1,15}|\.tmp-[0-9a-f]{16}", re.ASCII)
PIECES = [
    "snapshot-", "snapshot-000001", ".tmp-", ".tmp-0123456789abcdef", "..", ".", "/", "//", "a",
    "000002", "\n", " ", "\u0663", "\uff12", "%2e%2e", "\\", "outside", "~", "$HOME", "*", "con",
    "weights", "snapshot.json", "-", "+1", "1e3", "0x1", "\x7f", "\u202e", "\u00b2", "A" * 40,
]  # fmt: skip


def fuzzed_name(rng: random.Random) -> str:
    return "".join(rng.choice(PIECES) for _ in range(rng.randint(1, 4)))


class Witness:
    """Hears of every file that is opened, made, renamed or removed below a directory."""

    def __init__(self) -> None:
        self.watched: Path | None = None
        self.heard: list[tuple[str, str]] = []
        sys.addaudithook(self.hear)

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.watched is None or event not in EVENTS:
            return
        for argument in arguments[:2]:
            if isinstance(argument, str | bytes | Path):
                path = os.path.realpath(os.fsdecode(argument))
                if path.startswith(f"{self.watched}{os.sep}"):
                    self.heard.append((event, path))


EVENTS = {
    "open", "os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.truncate", "os.chmod", "os.link",
    "os.symlink", "shutil.rmtree", "os.chdir",
}  # fmt: skip


@pytest.fixture(scope="module")
def witness() -> Witness:
    """An audit hook stays for the life of the process; one is enough."""
    return Witness()


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A registry that nobody is to touch."""
    save(CheckpointRegistry(tmp_path / "outside"), 99.0)
    (tmp_path / "outside" / "notes").write_text("mine")
    return tmp_path / "outside"


@contextmanager
def untouched(witness: Witness, outside: Path) -> Generator[None]:
    before = tree(outside)
    witness.watched, witness.heard = outside, []
    try:
        yield
    finally:
        witness.watched = None
    assert witness.heard == []
    assert tree(outside) == before


def work_with(root: Path) -> None:
    """Read, save and prune."""
    registry = CheckpointRegistry(root, max_snapshots=1)
    for score in (1.0, 3.0, 2.0):
        with suppress(CheckpointError):
            load_best(registry)
        with suppress(OptixError, OSError):
            save(registry, score)
    with suppress(CheckpointError):
        RunDirectory(root).runs()


def test_the_witness_hears_who_looks_outside(outside: Path, witness: Witness) -> None:
    with pytest.raises(AssertionError, match="notes"), untouched(witness, outside):
        (outside / "notes").read_text()


def test_a_thousand_fuzzed_names_of_snapshots_lead_nowhere(
    tmp_path: Path, outside: Path, witness: Witness
) -> None:
    registry = CheckpointRegistry(tmp_path / "registry")
    genuine = save(registry, 1.0)
    rng = random.Random(0)  # noqa: S311
    with untouched(witness, outside):
        for _ in range(1000):
            name = fuzzed_name(rng)
            if re.fullmatch(r"snapshot-0{0,14}1", name):
                continue
            asked = replace(genuine, snapshot_id=name, weights_path=str(outside / "notes"))
            with pytest.raises(CheckpointNotFoundError):
                registry.load(asked, WeightAgent())
            with pytest.raises(CheckpointNotFoundError):
                registry.pin(name)
            registry.unpin(name)


def test_files_of_fuzzed_names_are_left_alone(tmp_path: Path) -> None:
    root, rng = tmp_path / "registry", random.Random(1)  # noqa: S311
    save(CheckpointRegistry(root), 0.5)
    strangers: set[str] = set()
    for _ in range(1000):
        name = fuzzed_name(rng)
        if "/" in name or "\0" in name or name in (".", "..") or OURS.fullmatch(name):
            continue
        with suppress(FileExistsError):
            (root / name).mkdir()
            (root / name / "kept").touch()
        strangers.add(name)
    assert len(strangers) > 400
    work_with(root)
    assert {name for name in strangers if not (root / name / "kept").is_file()} == set()


@pytest.mark.parametrize("place", ["snapshots", "manifest", "temporary", "inside", "root"])
def test_links_are_neither_followed_nor_written_through(
    tmp_path: Path, outside: Path, witness: Witness, place: str
) -> None:
    root = tmp_path / "registry"
    registry = CheckpointRegistry(root, max_snapshots=1)
    save(registry, 1.0)
    stolen = outside / "snapshot-000001"
    if place == "snapshots":
        for name in ("snapshot-000005", "snapshot-7"):
            (root / name).symlink_to(stolen)
    elif place == "manifest":
        (root / "manifest.json").unlink()
        (root / "manifest.json").symlink_to(outside / "manifest.json")
        (root / "events.jsonl").symlink_to(outside / "notes")
        (root / "run.toml").symlink_to(outside / "notes")
    elif place == "temporary":
        (root / ".tmp-0123456789abcdef").symlink_to(outside)
        (root / ".tmp-fedcba9876543210").mkdir()
        (root / ".tmp-fedcba9876543210" / "deep").symlink_to(outside)
    elif place == "inside":
        for name in ("weights", "snapshot.json"):
            (root / "snapshot-000001" / name).unlink()
            (root / "snapshot-000001" / name).symlink_to(stolen / name)
    else:
        (root / ".writer.lock").unlink()
        (root / ".writer.lock").symlink_to(outside / "notes")
        (root / ".run.lock").symlink_to(outside / "new")
        (root / "state").symlink_to(outside)
    # Whoever names a link's target may still be told of it; opening is what counts.
    before = tree(outside)
    work_with(root)
    directory = RunDirectory(root)
    with suppress(OSError, CheckpointError):
        directory.begin_run({})
        directory.journal.append("event")
    directory.end_run()
    assert tree(outside) == before
    assert CheckpointRegistry(outside).snapshots()[0].eval_metrics.primary_score == 99.0
    with suppress(CheckpointError):
        assert load_best(CheckpointRegistry(root)) != 99.0


def test_a_thousand_records_sealed_anew_lead_nowhere(
    tmp_path: Path, outside: Path, witness: Witness
) -> None:
    root, rng = tmp_path / "registry", random.Random(2)  # noqa: S311
    save(CheckpointRegistry(root), 1.0)
    path = root / "snapshot-000001" / "snapshot.json"
    record = decode_record(path.read_bytes(), "it")
    targets = [str(outside / "notes"), "../../outside/notes", "weights/../../../outside/notes"]
    with untouched(witness, outside):
        for _ in range(1000):
            names = [rng.choice([*targets, fuzzed_name(rng)]) for _ in range(rng.randint(1, 3))]
            files = tuple(StoredFile(name, rng.choice([-1, 4]), "0" * 64) for name in names)
            path.write_bytes(encode_record(msgspec.structs.replace(record, files=files)))
            registry = CheckpointRegistry(root)
            (found,) = registry.snapshots()
            with pytest.raises(CheckpointError):
                registry.load(found, WeightAgent())


def test_a_poisoned_index_leads_nowhere(tmp_path: Path, outside: Path, witness: Witness) -> None:
    root, rng = tmp_path / "registry", random.Random(3)  # noqa: S311
    with untouched(witness, outside):
        for attempt in range(30):
            registry = CheckpointRegistry(root / str(attempt), max_snapshots=1)
            save(registry, 1.0)
            entries = [
                {"snapshot_id": name, "sequence": 1, "run_id": 0, "episode_id": 0, "score": 9.0}
                for name in (str(outside), "../../outside/snapshot-000001", fuzzed_name(rng))
            ]
            poisoned = {
                "schema_version": 1,
                "last_sequence": 1,
                "best": "../../outside/snapshot-000001",
                "snapshots": entries,
            }
            (registry.path / "manifest.json").write_bytes(msgspec.json.encode(poisoned))
            work_with(registry.path)
            assert load_best(registry) == 3.0
