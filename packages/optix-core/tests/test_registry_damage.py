"""Damaged, poisoned and foreign files in a registry: typed errors, next best, nothing outside."""

import json
import os
import random
import shutil
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from optix_core import PolicySnapshot
from optix_core._snapshot_record import SCHEMA_VERSION, StoredFile, decode_record, encode_record
from optix_core.checkpoint_registry import CheckpointRegistry
from optix_core.errors import CheckpointCorruptError, CheckpointError, CheckpointNotFoundError

from .registry_scene import FIRST, OneWeightAgent, flip_byte, load, load_best, save, scores, tree

SECOND = "snapshot-000002"
DATA = Path(__file__).parent / "data"
GOLDEN = DATA / "registry-1"


@pytest.fixture
def registry(tmp_path: Path) -> CheckpointRegistry:
    """A registry with the scores 1 and 2."""
    registry = CheckpointRegistry(tmp_path / "registry")
    save(registry, 1.0)
    save(registry, 2.0)
    return registry


MUTATORS: list[Callable[[Path], object]] = [
    lambda path: path.unlink(),
    lambda path: path.write_bytes(b""),
    lambda path: path.write_bytes(path.read_bytes()[:-1]),
    lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    lambda path: path.write_bytes(path.read_bytes() + b"}"),
    lambda path: path.write_bytes(path.read_bytes().replace(b"2", b'"2"', 1)),
    lambda path: path.write_bytes(path.read_bytes().replace(b"2", b"NaN")),
    lambda path: path.write_bytes(path.read_bytes().replace(b"2.0", b"1e999")),
    lambda path: path.write_bytes(b"[" * 100_000),
    lambda path: path.write_bytes(b'{"schema_version":1,"a":' * 100_000),
    lambda path: path.write_bytes(b"null"),
    lambda path: path.write_bytes(b"[]"),
    lambda path: path.write_bytes(b"{}"),
    lambda path: path.write_bytes(b'{"schema_version": "one"}'),
    lambda path: path.write_bytes(b'{"schema_version": -1}'),
    lambda path: path.write_bytes(b'{"schema_version": 99999999999999999999999}'),
    lambda path: path.write_bytes(b"\xff" * 100),
    lambda path: path.write_bytes(b"\0" * path.stat().st_size),
    lambda path: (path.unlink(), path.mkdir()),
    lambda path: (path.unlink(), path.symlink_to("nowhere")),
    lambda path: os.truncate(path, 17 * 1024 * 1024),
]


@pytest.mark.parametrize("mutate", MUTATORS)
def test_a_damaged_record_gives_the_next_best_or_a_typed_error(
    registry: CheckpointRegistry, mutate: Callable[[Path], object]
) -> None:
    mutate(registry.path / SECOND / "snapshot.json")
    typed: list[CheckpointError] = []
    for opened in (registry, CheckpointRegistry(registry.path)):
        try:
            assert load_best(opened) == 1.0
            assert scores(opened) == [1.0]
        except CheckpointError as error:
            typed.append(error)
    assert all("schema_version" in str(error) for error in typed)
    assert (registry.path / SECOND).exists()


@pytest.mark.parametrize("mutate", MUTATORS)
def test_a_damaged_index_changes_nothing(
    registry: CheckpointRegistry, mutate: Callable[[Path], object]
) -> None:
    manifest = registry.path / "manifest.json"
    mutate(manifest)
    assert load_best(registry) == 2.0
    if manifest.is_dir():
        save(registry, 3.0)
        assert scores(registry) == [1.0, 2.0, 3.0]
        return
    try:
        save(registry, 3.0)
    except CheckpointError:
        assert scores(registry) == [1.0, 2.0]
    else:
        assert scores(registry) == [1.0, 2.0, 3.0]
        assert [entry["score"] for entry in json.loads(manifest.read_text())["snapshots"]] == [
            1.0,
            2.0,
            3.0,
        ]


def test_a_damaged_index_is_said(
    registry: CheckpointRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    (registry.path / "manifest.json").write_bytes(b"{")
    save(registry, 3.0)
    assert "rebuilt" in caplog.text
    caplog.clear()
    save(registry, 4.0)
    assert caplog.text == ""


def test_every_flipped_bit_of_a_record_is_noticed(registry: CheckpointRegistry) -> None:
    path = registry.path / SECOND / "snapshot.json"
    data = path.read_bytes()
    rng = random.Random(0)  # noqa: S311
    newer = 0
    for position in rng.sample(range(8 * len(data)), 150):
        mutated = bytearray(data)
        mutated[position // 8] ^= 1 << position % 8
        path.write_bytes(bytes(mutated))
        try:
            assert load_best(CheckpointRegistry(registry.path)) == 1.0
        except CheckpointCorruptError:
            raise
        except CheckpointError:
            newer += 1
    assert newer <= 3  # the digit of the version has this many bits that make it higher
    path.write_bytes(data)
    assert load_best(registry) == 2.0


def _swap(path: Path) -> None:
    shutil.copy(path.parents[1] / FIRST / "weights", path)


WEIGHT_MUTATORS: list[Callable[[Path], object]] = [
    flip_byte,
    lambda path: flip_byte(path, 0),
    lambda path: os.truncate(path, path.stat().st_size - 1),
    lambda path: os.truncate(path, 0),
    lambda path: path.unlink(),
    lambda path: path.write_bytes(path.read_bytes() + b"\0"),
    _swap,
    lambda path: path.rename(path.with_name("moved")),
    lambda path: path.with_name("added").touch(),
    lambda path: (path.rename(path.parents[2] / "out"), path.symlink_to(path.parents[2] / "out")),
]


@pytest.mark.parametrize("mutate", WEIGHT_MUTATORS)
def test_damaged_weights_give_the_next_best_with_a_warning(
    registry: CheckpointRegistry,
    mutate: Callable[[Path], object],
    caplog: pytest.LogCaptureFixture,
) -> None:
    damaged = registry.snapshots()[1]
    mutate(registry.path / SECOND / "weights")
    agent = OneWeightAgent(-1.0)
    with pytest.raises(CheckpointCorruptError, match=SECOND):
        registry.load(damaged, agent)
    assert agent.weight == -1.0
    assert load_best(registry) == 1.0
    assert load_best(registry) == 1.0
    assert caplog.text.count(f"{SECOND} ") == 1
    best = registry.best_of_run(0)
    assert best is not None
    assert best.snapshot_id == FIRST


def test_with_every_snapshot_damaged_the_best_is_an_error_and_saving_goes_on(
    registry: CheckpointRegistry,
) -> None:
    for name in (FIRST, SECOND):
        flip_byte(registry.path / name / "weights")
    for find in (lambda: registry.best, lambda: registry.best_of_run(0)):
        with pytest.raises(CheckpointCorruptError, match="2 that are damaged"):
            find()
    assert registry.best_of_run(5) is None
    assert save(registry, 0.5).sequence == 3
    assert load_best(registry) == 0.5


def test_what_is_known_to_be_damaged_does_not_stand_for_the_best_when_pruning(
    tmp_path: Path,
) -> None:
    registry = CheckpointRegistry(tmp_path, max_snapshots=2)
    save(registry, 9.0)
    save(registry, 5.0)
    flip_byte(tmp_path / FIRST / "weights")
    assert load_best(registry) == 5.0
    for score in (1.0, 2.0, 3.0):
        save(registry, score)
    assert load_best(registry) == 5.0
    assert (tmp_path / FIRST).exists()


def test_a_renamed_snapshot_is_not_another_one(registry: CheckpointRegistry) -> None:
    (registry.path / SECOND).rename(registry.path / "snapshot-000009")
    assert scores(registry) == [1.0]
    with pytest.raises(CheckpointCorruptError, match="renamed"):
        registry.load(_pretend(registry, "snapshot-000009"), OneWeightAgent())
    assert save(registry, 3.0).sequence == 10


def _pretend(registry: CheckpointRegistry, name: str) -> PolicySnapshot:
    return replace(registry.snapshots()[0], snapshot_id=name)


def test_numbers_are_ordered_as_numbers(registry: CheckpointRegistry) -> None:
    for old, new in ((SECOND, "snapshot-2"), (FIRST, "snapshot-01")):
        (registry.path / old).rename(registry.path / new)
    assert scores(registry) == [1.0, 2.0]
    assert save(registry, 3.0).sequence == 3
    assert [load(registry, found) for found in registry.snapshots()] == [1.0, 2.0, 3.0]


# ── containment ─────────────────────────────────────────────────────────────────────────────────

NAMES = [
    "../outside",
    "/etc",
    "..",
    ".",
    "",
    "snapshot-1/../../outside",
    "snapshot-",
    "snapshot-x",
    "snapshot-\N{ARABIC-INDIC DIGIT THREE}",
    "snapshot-1\n",
    "snapshot-0x1",
    "Snapshot-1",
    "snapshot-1 ",
    "manifest.json",
]


@pytest.mark.parametrize("name", NAMES)
def test_no_other_name_is_looked_up(registry: CheckpointRegistry, name: str) -> None:
    shutil.copytree(registry.path / FIRST, registry.path.parent / "outside")
    with pytest.raises(CheckpointNotFoundError):
        registry.load(_pretend(registry, name), OneWeightAgent())
    with pytest.raises(CheckpointNotFoundError):
        registry.pin(name)


def test_links_are_neither_followed_nor_removed(tmp_path: Path) -> None:
    outside = CheckpointRegistry(tmp_path / "outside")
    save(outside, 99.0)
    before = tree(tmp_path / "outside")
    registry = CheckpointRegistry(tmp_path / "registry", max_snapshots=1)
    save(registry, 1.0)
    root = tmp_path / "registry"
    links = ["snapshot-000005", ".tmp-0123456789abcdef", "snapshot-000001/extra"]
    for name in links:
        (root / name).symlink_to(tmp_path / "outside" / FIRST)
    (root / "manifest.json").unlink()
    (root / "manifest.json").symlink_to(tmp_path / "outside" / "manifest.json")
    assert save(registry, 2.0).sequence == 6
    save(registry, 3.0)
    assert load_best(registry) == 3.0
    assert tree(tmp_path / "outside") == before
    assert (root / "snapshot-000005").is_symlink()


def test_a_lock_or_journal_that_is_a_link_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "registry").mkdir()
    (tmp_path / "registry" / ".writer.lock").symlink_to(tmp_path / "victim")
    with pytest.raises(OSError, match="symbolic links"):
        save(CheckpointRegistry(tmp_path / "registry"), 1.0)
    assert not (tmp_path / "victim").exists()


def test_other_names_are_left_alone(registry: CheckpointRegistry) -> None:
    strangers = [
        ".tmp-other",
        ".tmp-run-toml",
        "notes",
        "snapshot-old",
        "state",
        ".tmp-ABCDEF0123456789",
    ]
    for name in strangers:
        (registry.path / name).mkdir()
    for score in range(20):
        save(registry, float(score))
    assert all((registry.path / name).is_dir() for name in strangers)


def test_a_poisoned_record_with_a_right_checksum_leads_nowhere(tmp_path: Path) -> None:
    registry = CheckpointRegistry(tmp_path / "registry", max_snapshots=1)
    save(registry, 1.0)
    victim = tmp_path / "victim"
    victim.write_text("x")
    path = registry.path / FIRST / "snapshot.json"
    record = decode_record(path.read_bytes(), "it")
    for name in ("../../victim", str(victim), "weights/../../../victim"):
        poisoned = msgspec.structs.replace(record, files=(StoredFile(name, 1, "0" * 64),))
        path.write_bytes(encode_record(poisoned))
        with pytest.raises(CheckpointCorruptError):
            registry.load(registry.snapshots()[0], OneWeightAgent())
    save(CheckpointRegistry(registry.path, max_snapshots=1), 2.0)
    assert victim.read_text() == "x"


# ── versions and bombs ──────────────────────────────────────────────────────────────────────────


def test_the_first_format_is_still_read(tmp_path: Path) -> None:
    shutil.copytree(GOLDEN, tmp_path / "golden")
    registry = CheckpointRegistry(tmp_path / "golden")
    assert scores(registry)[:2] == [0.5, 1.5]
    assert scores(registry)[2] != scores(registry)[2]
    agent = OneWeightAgent()
    best = registry.load_best(agent)
    assert best is not None
    assert agent.weight == 1.5
    assert agent.params == {
        "rate": 0.1,
        "steps": 3,
        "on": True,
        "none": None,
        "far": float("inf"),
        "names": ["a", {"$odd": -0.0}],
    }
    assert best.eval_metrics.metrics["unit"] == "window"
    assert (best.run_id, best.episode_id, best.hyperparams.episode_id) == (2, 4, 3)
    assert save(registry, 9.0).sequence == 4


def test_the_second_format_is_still_read(tmp_path: Path) -> None:
    shutil.copytree(DATA / "registry-2", tmp_path / "golden")
    registry = CheckpointRegistry(tmp_path / "golden")
    assert scores(registry) == [0.5, 1.5, 1.0]
    assert registry.best is not None
    assert registry.best.eval_metrics.primary_score == 1.0  # the run's choice
    assert load_best(registry) == 1.0
    assert save(registry, 9.0).sequence == 4


@pytest.mark.parametrize("name", ["manifest.json", f"{SECOND}/snapshot.json"])
def test_what_a_newer_version_wrote_stays_untouched(
    registry: CheckpointRegistry, name: str
) -> None:
    path = registry.path / name
    path.write_text(
        json.dumps(json.loads(path.read_text()) | {"schema_version": SCHEMA_VERSION + 1, "new": []})
    )
    before = tree(registry.path)
    with pytest.raises(CheckpointError, match="update optix-core"):
        save(registry, 3.0)
    if name != "manifest.json":
        for read in (registry.snapshots, lambda: registry.best, lambda: load_best(registry)):
            with pytest.raises(CheckpointError, match="update optix-core"):
                read()
    assert tree(registry.path) == before


def test_bombs_are_refused_before_they_are_read(registry: CheckpointRegistry) -> None:
    for name in ("manifest.json", f"{SECOND}/snapshot.json"):
        os.truncate(registry.path / name, 10 * 1024**3)
    begin = time.process_time()
    tracemalloc.start()
    try:
        assert load_best(registry) == 1.0
        save(registry, 3.0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5_000_000
    assert time.process_time() - begin < 60  # hashing 10 GB takes longer
