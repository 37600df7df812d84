"""Saves a run's state between windows, as often as costs little, and takes a run up again."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, final

import msgspec

from optix_core.checkpoint_registry import CheckpointRegistry
from optix_core.errors import CheckpointCorruptError
from optix_core.run_directory import RunDirectory
from optix_core.run_recorder import RunRecorder
from optix_core.run_state import RunState
from optix_core.state_store import SavedState, StateStore

logger = logging.getLogger(__name__)

SHARE = 0.02
"""Of a run's time, CPU and wall clock alike, that saving its state may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where journal and registries stood when a state was saved."""

    run_id: int
    journal_bytes: int
    last_sequences: list[int]


@final
class StateKeeper:
    """Keeps in `state/` what a run is resumed from.

    A save takes the time of a few system calls, and of writing what is new in a replay memory, or
    all of it where the agent has no `HasReplay`; so it is made between two windows whenever all
    saves so far took less than 2 % of the run's time. A kill then costs no more than 50 times what
    one save takes: the windows since are run again, and come out the same, since journal and
    snapshots are taken back to where the state was saved.
    """

    def __init__(
        self,
        directory: RunDirectory,
        registries: Sequence[CheckpointRegistry],
        recorder: RunRecorder,
        clocks: Sequence[Callable[[], float]] = (time.process_time, time.perf_counter),
    ) -> None:
        """Keep the state of a run in this directory, whose snapshots are in these registries."""
        self._directory = directory
        self._registries = registries
        self._recorder = recorder
        self._store = StateStore(directory.state_path)
        self._clocks = clocks
        self._began = self._now()
        self._spent = [0.0 for _ in clocks]

    def open_run(
        self, asked: Mapping[str, Mapping[str, Any]], *, resume: bool
    ) -> SavedState | None:
        """Begin a run in the directory, or take its latest one up.

        Returns:
            The state to put back; None for a run that begins.

        Raises:
            CheckpointError: if the directory is in use, or the state to resume from unreadable.
        """
        recorder, saved = self._recorder, None
        run_id = recorder.take_up() if resume else recorder.begin(asked)
        for registry in self._registries:
            registry.run_id = run_id
        try:
            if resume:
                saved = self._take_up()
            else:
                self._save(None)
            if saved is None:
                recorder.start(asked)
        except BaseException:
            self._directory.end_run()
            raise
        return saved

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

    def put_back(self, saved: SavedState, state: RunState) -> None:
        """Put a state back; what could not be restored is logged and written into the journal.

        Where all is as it was, the snapshots behind the state are taken back: they will be made
        again. Otherwise they stay, since what comes now may be worse.
        """
        losses = state.put_back(saved)
        replay = state.replay()
        if saved.rows is not None and replay is not None:
            self._store.adopt(replay)
        for loss in losses:
            logger.warning(
                "resumed from window %d, but %s", self._recorder.progress.window_id, loss
            )
        if losses:
            self._recorder.event("not_restored", losses=losses)
        else:
            self._rewind(self._position(saved))
        for registry in self._registries:
            registry.hold_pinned()

    def _take_up(self) -> SavedState | None:
        """Take the journal back to the latest state, and return that.

        None where the run has none yet: then the snapshots are taken back as well.
        """
        saved = self._store.load()
        if saved is None:
            self._save(None)
            return None
        position = self._position(saved)
        self._directory.journal.cut_back(position.journal_bytes)
        if saved.tree["run"] is not None:
            return saved
        self._rewind(position)
        return None

    def _save(self, state: RunState | None) -> None:
        """Save the state of a run; None for one that has not played a window yet."""
        journal = self._directory.journal
        journal.sync()
        position = Position(
            run_id=self._recorder.run_id,
            journal_bytes=journal.size,
            last_sequences=[registry.last_sequence for registry in self._registries],
        )
        run = None if state is None else state.gather()
        self._store.save(
            {"position": asdict(position), "run": run},
            lambda folder: None if state is None else state.write_files(folder),
            None if state is None else state.replay(),
        )
        for registry in self._registries:
            registry.hold_pinned()

    def _rewind(self, position: Position) -> None:
        for registry, sequence in zip(self._registries, position.last_sequences, strict=True):
            registry.rewind(sequence)

    def _position(self, saved: SavedState) -> Position:
        try:
            position = msgspec.convert(saved.tree["position"], Position)
            has_run = "run" in saved.tree
        except (KeyError, msgspec.ValidationError) as error:
            raise CheckpointCorruptError(f"{saved.files} holds no state: {error}") from error
        is_of_run = position.run_id == self._recorder.run_id and has_run
        if not is_of_run or len(position.last_sequences) != len(self._registries):
            raise CheckpointCorruptError(
                f"{saved.files} holds the state of run {position.run_id}, the directory's "
                f"latest run is {self._recorder.run_id}"
            )
        return position

    def _now(self) -> list[float]:
        return [clock() for clock in self._clocks]
