"""The registry against a model of a dict's size, whatever is done to it in whatever order.

Run as a module with a number of examples and of steps: a process of one thread may be forked at any
time, and what is killed here is a fork.
"""

import math
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from optix_core.checkpoint_registry import CheckpointRegistry
from optix_core.errors import CheckpointCorruptError

from .registry_killer import kill_at_line
from .registry_scene import WeightAgent, flip_byte, load, load_best, save

SCORES = st.sampled_from([-2.0, -1.0, 0.0, 0.5, 1.0, 2.0, 3.0, math.nan, math.inf, -math.inf])


@dataclass
class Saved:
    """What the model knows of a snapshot."""

    run_id: int
    score: float
    weight: float


class RegistryMachine(RuleBasedStateMachine):
    """Saves, loads, prunes, reopens, damages, moves; compares with `self.model` all along."""

    objects = Bundle("objects")

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp())
        self.root = self.home / "registry"
        self.model: dict[int, Saved] = {}
        self.damaged: set[int] = set()
        self.pinned: set[int] = set()
        self.holders: list[CheckpointRegistry] = []
        self.last, self.moves, self.saves = 0, 0, 0
        # Power is not cut here, and the disk of a test is shared.
        self.no_sync = mock.patch("os.fsync")
        self.no_sync.start()

    def teardown(self) -> None:
        self.no_sync.stop()
        # The next example's directory may get this one's inode, by which a process knows its pins.
        for number in self.pinned:
            self.registry.unpin(f"snapshot-{number:06d}")
        shutil.rmtree(self.home)

    @initialize(max_snapshots=st.integers(1, 4))
    def open(self, max_snapshots: int) -> None:
        self.max_snapshots = max_snapshots
        self.registry = self.reopened()
        self.second = self.reopened()

    def reopened(self) -> CheckpointRegistry:
        return CheckpointRegistry(self.root, self.max_snapshots)

    @rule(score=SCORES, run_id=st.integers(1, 3), use_second=st.booleans())
    def save(self, score: float, run_id: int, use_second: bool) -> None:  # noqa: FBT001
        registry = self.second if use_second else self.registry
        registry.run_id = run_id
        self.saves += 1
        saved = save(registry, score, weight=float(self.saves))
        self.last += 1
        assert saved.sequence == self.last
        self.model[self.last] = Saved(run_id, score, float(self.saves))
        self.model = {number: self.model[number] for number in sorted(self.kept(self.last))}

    def kept(self, newest: int) -> set[int]:
        """Retention once more, from its description."""
        run_id = self.model[newest].run_id
        must = {self.best(None), self.best(run_id)} - {None}
        others = [self.best(run) for run in (3, 2, 1)]
        wishes = [newest, *others, *sorted(self.model, reverse=True)]
        kept = {number for number in must if number is not None}
        for number in wishes:
            if number is not None and len(kept) < self.max_snapshots:
                kept.add(number)
        return kept | self.pinned

    def best(self, run_id: int | None) -> int | None:
        ranked = [
            (saved.score, -number)
            for number, saved in self.model.items()
            if math.isfinite(saved.score) and run_id in (None, saved.run_id)
        ]
        return -max(ranked)[1] if ranked else None

    @rule(run_id=st.integers(1, 3))
    def find_best_of_run(self, run_id: int) -> None:
        found, wanted = self.registry.best_of_run(run_id), self.best(run_id)
        assert (None if found is None else found.sequence) == wanted

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def load(self, data: st.DataObject) -> None:
        snapshot = data.draw(st.sampled_from(self.second.snapshots()))
        assert load(self.registry, snapshot) == self.model[snapshot.sequence].weight

    @rule()
    def reopen(self) -> None:
        # The second object stays open, and with it what is pinned.
        self.registry = self.reopened()

    @precondition(lambda self: set(self.model) - self.pinned)
    @rule(data=st.data())
    def pin(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(set(self.model) - self.pinned)))
        self.second.pin(f"snapshot-{number:06d}")
        self.pinned.add(number)

    @precondition(lambda self: self.pinned)
    @rule(data=st.data())
    def unpin(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.pinned)))
        self.registry.unpin(f"snapshot-{number:06d}")
        self.pinned.remove(number)

    @precondition(lambda self: set(self.model) - self.pinned)
    @rule(data=st.data())
    def damage_a_record(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(set(self.model) - self.pinned)))
        flip_byte(self.root / f"snapshot-{number:06d}" / "snapshot.json", position=60)
        del self.model[number]
        self.damaged.add(number)

    @precondition(lambda self: self.best(None) is not None)
    @rule()
    def damage_the_best_weights_for_a_while(self) -> None:
        best = self.best(None)
        assert best is not None
        weights = self.root / f"snapshot-{best:06d}" / "weights"
        flip_byte(weights)
        saved = self.model.pop(best)
        try:
            self.check_best()
        finally:
            flip_byte(weights)
            self.model[best] = saved
            self.model = dict(sorted(self.model.items()))
        self.check_best()

    @precondition(lambda self: self.root.exists())
    @rule(text=st.sampled_from([None, b"", b"{", b"[[[", b'{"schema_version": 1}']))
    def spoil_the_manifest(self, text: bytes | None) -> None:
        # It is an index alone; with it goes at most the memory of numbers that are pruned.
        (self.root / "manifest.json").unlink(missing_ok=True)
        if text is not None:
            (self.root / "manifest.json").write_bytes(text)
        self.last = max([0, *self.model, *self.damaged])

    @precondition(lambda self: self.root.exists())
    @rule()
    def leave_a_dead_writer_behind(self) -> None:
        (self.root / ".tmp-0123456789abcdef").mkdir(exist_ok=True)
        (self.root / ".tmp-0123456789abcdef" / "weights").write_bytes(b"half")

    # A process's pins bind that process alone.
    @precondition(lambda self: self.root.exists() and not self.pinned)
    @rule(score=SCORES, run_id=st.integers(1, 3), line=st.integers(1, 400))
    def kill_a_save(self, score: float, run_id: int, line: int) -> None:
        self.saves += 1
        registry = self.reopened()
        registry.run_id = run_id
        kill_at_line(line, lambda: save(registry, score, weight=float(self.saves)))
        there = {path.name for path in self.root.glob("snapshot-*")}
        if f"snapshot-{self.last + 1:06d}" not in there:
            return
        self.last += 1
        self.model[self.last] = Saved(run_id, score, float(self.saves))
        # What is to be pruned may be there still.
        found = [number for number in self.model if f"snapshot-{number:06d}" in there]
        assert self.kept(self.last) <= set(found)
        self.model = {number: self.model[number] for number in found}

    @precondition(lambda self: set(self.model) - self.pinned)
    @rule(data=st.data(), ahead=st.integers(1, 5))
    def rename_a_snapshot(self, data: st.DataObject, ahead: int) -> None:
        number = data.draw(st.sampled_from(sorted(set(self.model) - self.pinned)))
        self.last += ahead
        name = f"snapshot-{self.last:06d}"
        (self.root / f"snapshot-{number:06d}").rename(self.root / name)
        del self.model[number]
        self.damaged.add(self.last)

    @precondition(lambda self: self.root.exists())
    @rule()
    def move(self) -> None:
        self.moves += 1
        moved = self.home / f"moved-{self.moves}"
        self.root.rename(moved)
        self.root = moved
        # Pins are kept as long as an object is that knows of them, wherever the directory is.
        self.holders.append(self.second)
        self.registry, self.second = self.reopened(), self.reopened()

    @invariant()
    def check(self) -> None:
        if not hasattr(self, "registry"):
            return
        for registry in (self.registry, self.second):
            found = {
                snapshot.sequence: str(snapshot.eval_metrics.primary_score)
                for snapshot in registry.snapshots()
            }
            wanted = {number: str(saved.score) for number, saved in self.model.items()}
            assert list(found.items()) == list(wanted.items())
        self.check_best()

    def check_best(self) -> None:
        best = self.best(None)
        if best is not None:
            assert load_best(self.registry) == self.model[best].weight
        elif self.damaged or not self.all_readable():
            with pytest.raises(CheckpointCorruptError):
                self.registry.load_best(WeightAgent())
        else:
            assert load_best(self.registry) is None

    def all_readable(self) -> bool:
        on_disk = self.root.glob("snapshot-*") if self.root.exists() else ()
        return len(list(on_disk)) == len(self.model)


if __name__ == "__main__":
    n_examples, n_steps = map(int, sys.argv[1:])
    run_state_machine_as_test(
        RegistryMachine,
        settings=settings(
            max_examples=n_examples,
            stateful_step_count=n_steps,
            deadline=None,
            derandomize="CI" in os.environ,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
