"""C05: weights that are not what was saved are never loaded; the next best is, or none."""

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from optix_core.checkpoint_registry import CheckpointRegistry
from optix_core.errors import CheckpointCorruptError

from .fuzz_targets import FIRST, SECOND, copy_of, two_snapshots
from .registry_scene import WeightAgent, load, load_best

Mutator = Callable[[Path, random.Random], object]


def _flip(path: Path, rng: random.Random) -> None:
    data = bytearray(path.read_bytes())
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(bytes(data))


def _swap(path: Path, rng: random.Random) -> None:
    other = path.parents[1] / FIRST / path.name
    mine, others = path.read_bytes(), other.read_bytes()
    path.write_bytes(others)
    other.write_bytes(mine)


MUTATORS: list[Mutator] = [
    _flip,
    lambda path, rng: os.truncate(path, rng.randrange(path.stat().st_size)),
    _swap,
    lambda path, rng: path.unlink(),
    lambda path, rng: path.write_bytes(path.read_bytes() + rng.randbytes(rng.randint(1, 99))),
    lambda path, rng: path.write_bytes(rng.randbytes(path.stat().st_size)),
    lambda path, rng: path.rename(path.with_name(f"weights-{rng.randrange(9)}")),
    lambda path, rng: path.with_name("added").write_bytes(rng.randbytes(3)),
    lambda path, rng: (shutil.copy(path, path.parents[2]), path.unlink(), path.symlink_to("..")),
]


def damage(case: int, caplog: pytest.LogCaptureFixture) -> None:
    """One case: how and where follows from its number."""
    rng, mutate = random.Random(case), MUTATORS[case % len(MUTATORS)]  # noqa: S311
    with copy_of(two_snapshots) as home:
        shutil.copytree(home, home / "registry")
        root = home / "registry"
        mutate(root / SECOND / "weights", rng)
        registry, agent = CheckpointRegistry(root), WeightAgent(-1.0)
        (damaged,) = (found for found in registry.snapshots() if found.sequence == 2)
        with pytest.raises(CheckpointCorruptError, match=SECOND):
            registry.load(damaged, agent)
        assert agent.weight == -1.0
        caplog.clear()
        if mutate is _swap:
            with pytest.raises(CheckpointCorruptError, match="no intact snapshot is left"):
                load_best(registry)
        else:
            assert load_best(registry) == 1.0
            (first, *_) = registry.snapshots()
            assert load(registry, first) == 1.0
        assert caplog.text.count(f"{SECOND} ") == 1
        assert (root / SECOND).is_dir()


def test_damaged_weights_are_never_loaded(caplog: pytest.LogCaptureFixture) -> None:
    for case in range(120):
        damage(case, caplog)


@pytest.mark.nightly
def test_weights_damaged_in_more_ways_are_never_loaded(caplog: pytest.LogCaptureFixture) -> None:
    for case in range(1000, 2200):
        damage(case, caplog)
