"""C03: the power goes before any operation of a save; what was acknowledged is there afterwards."""

import random
import shutil
from pathlib import Path

import pytest

from optix_core.checkpoint_registry import CheckpointRegistry
from optix_core.errors import CheckpointCorruptError
from optix_core.journal import Journal
from optix_core.run_directory import RunDirectory

from .power_loss import Disk, images, powered
from .registry_scene import load, load_best, save
from .script import run_script

BEFORE = {2: 9.0, 3: 2.0, 4: 3.0}
PRUNED = 3


def fill(root: Path) -> CheckpointRegistry:
    registry = CheckpointRegistry(root, max_snapshots=3)
    for score in (1.0, 9.0, 2.0, 3.0):
        save(registry, score)
    return registry


def check_image(image: Path, *, is_saved: bool) -> None:
    """All that was acknowledged loads; what was being pruned may be whole, damaged or gone."""
    registry, found = CheckpointRegistry(image, max_snapshots=3), dict[int, float]()
    for snapshot in registry.snapshots():
        try:
            found[snapshot.sequence] = load(registry, snapshot)
        except CheckpointCorruptError:
            assert snapshot.sequence == PRUNED
            assert is_saved
    after = BEFORE | {5: 4.0}
    if PRUNED not in found:
        after = {number: score for number, score in after.items() if number != PRUNED}
    assert found == after or (found == BEFORE and not is_saved), (image, found)
    assert load_best(registry) == 9.0
    assert save(registry, 5.0).sequence > max(found)
    assert load_best(registry) == 9.0
    shutil.rmtree(image)


def cut_power(tmp_path: Path, n_mixed: int, seed: int) -> int:
    """Cut the power before each operation; returns how many there were."""
    registry, rng, n_cuts = fill(tmp_path / "registry"), random.Random(seed), 0  # noqa: S311
    is_committed = False

    def cut(disk: Disk) -> None:
        nonlocal n_cuts, is_committed
        n_cuts += 1
        root_node = disk.node(disk.root.stat().st_ino)
        is_committed = is_committed or "snapshot-000005" in disk.folders[root_node]
        for image in images(disk, tmp_path, rng, n_mixed):
            # Between the rename and its sync the save has not returned, whatever an image shows.
            check_image(image, is_saved=is_committed)

    with powered(registry.path, cut) as disk:
        assert save(registry, 4.0).sequence == 5
    is_committed = False
    cut(disk)
    assert is_committed
    return n_cuts


def test_a_committed_snapshot_outlives_the_power(tmp_path: Path) -> None:
    assert cut_power(tmp_path, n_mixed=1, seed=0) > 20


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_a_committed_snapshot_outlives_the_power_in_many_ways(tmp_path: Path, seed: int) -> None:
    assert cut_power(tmp_path, n_mixed=20, seed=seed) > 20


def test_the_first_snapshot_of_a_directory_outlives_the_power(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    with powered(home, lambda disk: None) as disk:
        save(CheckpointRegistry(home / "runs" / "first"), 1.0)
    for image in images(disk, tmp_path, random.Random(0), 5):  # noqa: S311
        assert load_best(CheckpointRegistry(image / "runs" / "first")) == 1.0


def test_a_run_that_ended_outlives_the_power(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    with powered(home, lambda disk: None) as disk:
        directory = RunDirectory(home / "run")
        directory.begin_run({"run": {"seed": 1}})
        directory.journal.append("run_started", run=1)
        directory.end_run()
    for image in images(disk, tmp_path, random.Random(0), 5):  # noqa: S311
        found = RunDirectory(image / "run")
        assert found.read_asked() == {"run": {"seed": 1}}
        assert [event["event"] for event in found.journal.read()] == ["run_started"]


def test_a_run_is_resumed_from_what_a_power_cut_leaves() -> None:
    """Its journal, state and rows of replay are as if nothing had been."""
    run_script("resumer", "cut_power", "replay", 211, 0)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["replay", "spawns", "population"])
def test_runs_are_resumed_from_what_power_cuts_leave(kind: str) -> None:
    run_script("resumer", "cut_power", kind, 29, 1, timeout_s=1800)


def test_events_after_the_last_sync_may_be_lost_but_none_before(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    with powered(home, lambda disk: None) as disk:
        journal = Journal(home / "events.jsonl")
        journal.append("kept")
        journal.sync()
        journal.append("lost")
    for image in images(disk, tmp_path, random.Random(0), 10):  # noqa: S311
        again = Journal(image / "events.jsonl")
        again.append("added")
        events = [event["event"] for event in again.read()]
        assert events in (["kept", "added"], ["kept", "lost", "added"])
        again.close()
    journal.close()
