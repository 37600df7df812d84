"""Saves a run's state between windows, as often as costs little, and takes a run up again."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import final

import msgspec

from optix_core.checkpoint_registry import CheckpointRegistry
from optix_core.errors import CheckpointCorruptError
from optix_core.run_directory import RunDirectory
from optix_core.run_state import RunState
from optix_core.state_store import SavedState, StateStore

logger = logging.getLogger(__name__)

SHARE = 0.02
"""Of a run's time, CPU and wall clock alike, that saving its state may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where journal and registry stood when a state was saved."""

    run_id: int
    journal_bytes: int
    last_sequence: int
    last_branch: int


@final
class StateKeeper:
    """Keeps in `state/` what a run is resumed from.

    A save takes the time of a few system calls up to that of writing a replay buffer; so it is made
    between two windows whenever all saves so far took less than 2 % of the run's time. A kill then
    costs no more than 50 times what one save takes: the windows since are run again, and come out
    the same, since journal and snapshots are taken back to where the state was saved.
    """

    def __init__(
        self,
        directory: RunDirectory,
        registry: CheckpointRegistry,
        branch_store: CheckpointRegistry,
        clocks: Sequence[Callable[[], float]] = (time.process_time, time.perf_counter),
    ) -> None:
        """Keep the state of a run in this directory."""
        self._directory = directory
        self._registry = registry
        self._branch_store = branch_store
        self._store = StateStore(directory.state_path)
        self._clocks = clocks
        self._began = self._now()
        self._spent = [0.0 for _ in clocks]

    def save_beginning(self) -> None:
        """Save where the run begins: whoever resumes it before its first state begins there."""
        self._save(None)

    def save_if_cheap(self, state: RunState) -> None:
        """Save where saves so far took less than their share."""
        elapsed = [now - began for now, began in zip(self._now(), self._began, strict=True)]
        if all(s <= SHARE * e for s, e in zip(self._spent, elapsed, strict=True)):
            self.save(state)

    def save(self, state: RunState) -> None:
        """Save the state; durable on return."""
        before = self._now()
        self._save(state)
        after = self._now()
        self._spent = [s + a - b for s, a, b in zip(self._spent, after, before, strict=True)]

    def take_up(self) -> SavedState | None:
        """Take the journal back to the latest state, and return that.

        None where the run has none yet: then the snapshots are taken back as well.

        Raises:
            CheckpointError: if the state cannot be read, or is another run's.
        """
        saved = self._store.load()
        if saved is None:
            self.save_beginning()
            return None
        position = self._position(saved)
        self._directory.journal.cut_back(position.journal_bytes)
        if saved.tree["run"] is not None:
            return saved
        self._rewind(position)
        return None

    def put_back(self, saved: SavedState, state: RunState) -> list[str]:
        """Put a state back; returns what could not be restored.

        Where all is as it was, the snapshots behind the state are taken back: they will be made
        again. Otherwise they stay, since what comes now may be worse.
        """
        losses = state.put_back(saved)
        if not losses:
            self._rewind(self._position(saved))
        self._hold_pinned()
        return losses

    def _save(self, state: RunState | None) -> None:
        journal = self._directory.journal
        journal.sync()
        position = Position(
            run_id=self._registry.run_id,
            journal_bytes=journal.size,
            last_sequence=self._registry.last_sequence,
            last_branch=self._branch_store.last_sequence,
        )
        run = None if state is None else state.gather()
        self._store.save(
            {"position": asdict(position), "run": run},
            lambda folder: None if state is None else state.write_files(folder),
        )
        self._hold_pinned()

    def _rewind(self, position: Position) -> None:
        self._registry.rewind(position.last_sequence)
        self._branch_store.rewind(position.last_branch)

    def _hold_pinned(self) -> None:
        self._registry.hold_pinned()
        self._branch_store.hold_pinned()

    def _position(self, saved: SavedState) -> Position:
        try:
            position = msgspec.convert(saved.tree["position"], Position)
            has_run = "run" in saved.tree
        except (KeyError, msgspec.ValidationError) as error:
            raise CheckpointCorruptError(f"{saved.files.parent} holds no state: {error}") from error
        if position.run_id != self._registry.run_id or not has_run:
            raise CheckpointCorruptError(
                f"{saved.files.parent} holds the state of run {position.run_id}, the directory's "
                f"latest run is {self._registry.run_id}"
            )
        return position

    def _now(self) -> list[float]:
        return [clock() for clock in self._clocks]
