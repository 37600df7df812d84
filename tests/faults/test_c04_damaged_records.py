"""C04: damaged metadata gives a right snapshot or a typed error, and never leads to a deletion."""

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from optix_core.checkpoint_registry import CheckpointRegistry
from optix_core.errors import CheckpointError

from .fuzz_targets import SECOND, copy_of, quick, two_snapshots
from .registry_scene import WeightAgent, load, save, tree

Mutator = Callable[[Path, random.Random], object]


def _text(change: Callable[[bytes, random.Random], bytes]) -> Mutator:
    """Change the bytes of a file."""

    def mutate(path: Path, rng: random.Random) -> None:
        path.write_bytes(change(path.read_bytes(), rng))

    return mutate


def _stretch(data: bytes, rng: random.Random) -> tuple[int, int]:
    begin = rng.randrange(len(data))
    return begin, begin + rng.randint(1, 20)


def _without_a_stretch(data: bytes, rng: random.Random) -> bytes:
    begin, end = _stretch(data, rng)
    return data[:begin] + data[end:]


def _with_a_stretch_twice(data: bytes, rng: random.Random) -> bytes:
    begin, end = _stretch(data, rng)
    return data[:end] + data[begin:]


def _with_bits_flipped(data: bytes, rng: random.Random) -> bytes:
    flipped = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        flipped[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(flipped)


def _with_a_number_replaced(text: bytes) -> Callable[[bytes, random.Random], bytes]:
    def change(data: bytes, rng: random.Random) -> bytes:
        digits = [place for place, byte in enumerate(data) if chr(byte).isdigit()]
        place = rng.choice(digits)
        return data[:place] + text + data[place + 1 :]

    return change


def _with_a_deep_value(bracket: bytes) -> Callable[[bytes, random.Random], bytes]:
    return lambda data, rng: data.replace(b":", b":" + bracket * rng.randint(100, 50_000), 1)


MUTATORS: list[Mutator] = [
    lambda path, rng: os.truncate(path, rng.randrange(path.stat().st_size)),
    lambda path, rng: os.truncate(path, 0),
    lambda path, rng: path.unlink(),
    lambda path, rng: (path.unlink(), path.mkdir()),
    lambda path, rng: (path.unlink(), path.symlink_to(rng.choice(["nowhere", "weights", "/etc"]))),
    lambda path, rng: (path.unlink(), os.mkfifo(path)),
    lambda path, rng: path.write_bytes(rng.randbytes(path.stat().st_size)),
    lambda path, rng: path.write_bytes(bytes(path.stat().st_size)),
    lambda path, rng: path.write_bytes(rng.choice([b"null", b"[]", b"{}", b"3", b'"x"', b"\xff"])),
    _text(_with_bits_flipped),
    _text(_without_a_stretch),
    _text(_with_a_stretch_twice),
    _text(lambda data, rng: data + rng.choice([b"}", b"\0", b" null", data])),
    _text(_with_a_number_replaced(b"NaN")),
    _text(_with_a_number_replaced(b'"1"')),
    _text(_with_a_number_replaced(b"1e999")),
    _text(_with_a_number_replaced(b"-" + b"9" * 30)),
    _text(_with_a_deep_value(b"[")),
    _text(_with_a_deep_value(b'{"a":')),
    _text(lambda data, rng: data.replace(b"snapshot", rng.choice([b"snapshos", b"../snap"]), 1)),
]


def damage(case: int) -> None:
    """One case: what is damaged, how and where follows from its number."""
    rng = random.Random(case)  # noqa: S311
    mutate = MUTATORS[case % len(MUTATORS)]
    name = rng.choice([f"{SECOND}/snapshot.json", "manifest.json"])
    with copy_of(two_snapshots) as root:
        mutate(root / name, rng)
        before = _without_pipes(root)
        _read(root, is_damaged=name != "manifest.json")
        assert _without_pipes(root) == before
        _write(root)
        assert (root / SECOND).is_dir()


def _read(root: Path, *, is_damaged: bool) -> None:
    registry, agent = CheckpointRegistry(root), WeightAgent(-1.0)
    try:
        best = registry.load_best(agent)
        assert best is not None
        assert agent.weight == best.eval_metrics.primary_score
        assert agent.get_hyperparams().params == {"weight": agent.weight}
        assert agent.weight in ((1.0, 2.0) if is_damaged else (2.0,))
        assert len(registry.snapshots()) == int(agent.weight)
    except CheckpointError:
        assert is_damaged
        assert agent.weight == -1.0


def _write(root: Path) -> None:
    registry = CheckpointRegistry(root)
    try:
        saved = save(registry, 3.0)
    except (CheckpointError, IsADirectoryError):
        return
    assert load(registry, saved) == 3.0
    assert registry.snapshots()[0].eval_metrics.primary_score == 1.0


def _without_pipes(root: Path) -> dict[str, bytes]:
    return tree(root)


def test_damage_gives_a_right_snapshot_or_a_typed_error() -> None:
    with quick():
        for case in range(300):
            damage(case)


@pytest.mark.nightly
@pytest.mark.parametrize("thousand", range(1, 11))
def test_ten_thousand_damages_give_a_right_snapshot_or_a_typed_error(thousand: int) -> None:
    with quick():
        for case in range(1000 * thousand, 1000 * (thousand + 1)):
            damage(case)
