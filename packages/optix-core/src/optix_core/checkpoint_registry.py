"""Keeps snapshots of policies in one directory, so that a kill at any moment loses none of them."""

import os
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import final

from optix_core._atomic_io import make_directory, open_directory
from optix_core._directory_lock import SharedDirectory, shared_directory
from optix_core._snapshot_files import WEIGHTS_NAME
from optix_core._snapshot_listing import (
    MAX_RESCANS,
    read_record,
    sequence_of,
    verify_snapshot,
)
from optix_core._snapshot_record import SnapshotRecord, new_record
from optix_core._snapshot_rewind import discard, last_sequence, rewind
from optix_core._snapshot_writer import SnapshotWriter
from optix_core._stored_values import is_same
from optix_core._trusted_reading import TrustedReading
from optix_core.base_agent import BaseAgent
from optix_core.errors import (
    CheckpointError,
    CheckpointNotFoundError,
    ConfigurationError,
)
from optix_core.eval_metrics import EvalMetrics
from optix_core.hyperparam_set import HyperparamSet
from optix_core.policy_snapshot import PolicySnapshot
from optix_core.read_back import put_into_force

_LOCK_TIMEOUT_S = 30.0


@final
class CheckpointRegistry:
    """The snapshots of a directory, which is read each time: all registries on it agree.

    A snapshot is there with all its files, checksummed, or not at all. The best one is never
    pruned; a score that is NaN or infinite is never the best. Reading takes no lock and works in a
    read-only directory. Writing waits for other writers, threads and processes alike.

    Raises:
        ConfigurationError: if max_snapshots is not at least 1.
    """

    def __init__(self, checkpoint_dir: str | os.PathLike[str], max_snapshots: int = 10) -> None:
        """Open a directory; it is made at the first save.

        Args:
            checkpoint_dir: where the snapshots are.
            max_snapshots: how many to keep of all runs: the best always, and the best of the run
                that saves; then the newest one and other runs' bests, newest run first, while
                they fit. Pinned ones come on top.
        """
        if isinstance(max_snapshots, bool) or max_snapshots < 1:
            raise ConfigurationError(f"max_snapshots must be at least 1, got {max_snapshots!r}")
        self.run_id = 0
        """Number of the run that saves, within the directory; stored in each snapshot."""
        self._root = Path(checkpoint_dir).absolute()
        self._max_snapshots = int(max_snapshots)
        self._trusted = TrustedReading(self._root)
        self._shared: SharedDirectory | None = None

    @property
    def path(self) -> Path:
        """The directory."""
        return self._root

    @property
    def best(self) -> PolicySnapshot | None:
        """The intact snapshot with the highest score of all runs; None where there is none.

        A run that called one of its snapshots its best (`save(is_choice=True)`) is headed by it.

        Raises:
            CheckpointCorruptError: if there are snapshots with scores, all of them damaged.
            CheckpointError: if a newer version wrote one of them.
        """
        return self._find_best(None)

    def best_of_run(self, run_id: int) -> PolicySnapshot | None:
        """Return the intact best snapshot of one run: its choice, else by score as in `best`.

        Raises:
            CheckpointCorruptError: if that run has snapshots with scores, all of them damaged.
            CheckpointError: if a newer version wrote a snapshot here.
        """
        return self._find_best(run_id)

    def snapshots(self) -> list[PolicySnapshot]:
        """List the snapshots in order of sequence. Those with a damaged record are left out.

        Raises:
            CheckpointError: if a newer version wrote one of them.
            OSError: if one cannot be read for a reason that may pass.
        """
        with self._reading() as root:
            records = self._trusted.listing(root).records if root is not None else {}
        return [self._as_snapshot(name, record) for name, record in records.items()]

    def find(self, snapshot_id: str) -> PolicySnapshot:
        """Return the snapshot of an id.

        Raises:
            CheckpointNotFoundError: if there is no such snapshot.
            CheckpointCorruptError: if its record is damaged.
        """
        with self._finding(snapshot_id) as root:
            return self._as_snapshot(snapshot_id, read_record(root, snapshot_id))

    def save(
        self,
        agent: BaseAgent,
        eval_metrics: EvalMetrics,
        hyperparams: HyperparamSet,
        *,
        pin: bool = False,
        is_choice: bool = False,
        write_more: Callable[[Path], None] | None = None,
    ) -> PolicySnapshot:
        """Save an agent's weights with their score and hyperparameters; durable on return.

        Args:
            agent: whose weights to save.
            eval_metrics: what they scored.
            hyperparams: what they were trained with.
            pin: whether to `pin` the snapshot at once, so that no later save prunes it.
            is_choice: whether its run calls it its best, on other grounds than the score alone;
                the last one so called heads its run, whatever its others score.
            write_more: adds files to the folder that it is given, sealed like the weights.

        Raises:
            HyperparamError: if a hyperparameter cannot be stored; nothing was written.
            ContractViolationError: if a metric cannot be stored, or the agent wrote no file.
            CheckpointLockedError: if another writer held the directory for 30 s.
            CheckpointError: if a newer version wrote here; nothing was changed.
            OSError: if the disk is full or fails; nothing is left behind.
        """

        def write(staged: str) -> None:
            agent.save_weights(self._weights_path(staged))
            if write_more is not None:
                write_more(self._root / staged)

        record = new_record(eval_metrics, hyperparams, run_id=self.run_id, is_choice=is_choice)
        make_directory(self._root)
        with open_directory(self._root) as root:
            shared = self._share(root)
            with shared.writing(root, _LOCK_TIMEOUT_S):
                writer = SnapshotWriter(
                    root=root,
                    shared=shared,
                    max_snapshots=self._max_snapshots,
                    distrusted=self._trusted.distrusted,
                    pins_new=pin,
                )
                name, record = writer.save(record, write)
        return self._as_snapshot(name, record)

    def load(self, snapshot: PolicySnapshot, agent: BaseAgent) -> None:
        """Put a snapshot's weights, then its hyperparameters, into an agent.

        Raises:
            CheckpointNotFoundError: if it is not here, or no longer; the agent is as it was.
            CheckpointCorruptError: if it is damaged; the agent is as it was.
            ContractViolationError: if the agent does not give back the hyperparameters that it got.
        """
        self._load(snapshot, agent)

    def _load(
        self, snapshot: PolicySnapshot, agent: BaseAgent, *, is_verified: bool = False
    ) -> None:
        name = snapshot.snapshot_id
        with self._finding(name) as root:
            record = read_record(root, name)
            if not _is_of(record, snapshot):
                raise CheckpointNotFoundError(
                    f"{name} in {self._root} is another one than was asked for, which is gone"
                )
            if not is_verified:
                verify_snapshot(root, name, record)
            try:
                agent.load_weights(self._weights_path(name))
            except Exception:
                read_record(root, name)  # where it was pruned meanwhile, that is the error
                raise
        put_into_force(agent, record.read_hyperparams(), name)

    def load_best(self, agent: BaseAgent) -> PolicySnapshot | None:
        """Load the best intact snapshot of all runs; returns it, None where there is none.

        Raises:
            CheckpointCorruptError: if there are snapshots with scores, all of them damaged.
            ContractViolationError: if the agent does not give back the hyperparameters that it got.
        """
        for _ in range(MAX_RESCANS):
            best = self.best
            if best is None:
                return None
            try:
                self._load(best, agent, is_verified=True)
            except CheckpointNotFoundError:
                continue  # another process replaced it just now
            return best
        raise CheckpointError(f"snapshots in {self._root} vanish while they are read; try again")

    @property
    def last_sequence(self) -> int:
        """The highest sequence number ever given here; 0 where nothing was saved."""
        with self._reading() as root:
            return 0 if root is None else last_sequence(root)

    def rewind(self, sequence: int) -> list[str]:
        """Take back what the run `run_id` saved behind a sequence number, to save it again.

        Returns:
            The ids of what was removed.

        Raises:
            CheckpointLockedError: if another writer held the directory for 30 s.
            OSError: if something cannot be removed.
        """
        return self._remove(lambda root, _: rewind(root, run_id=self.run_id, sequence=sequence))

    def clear(self) -> list[str]:
        """Remove every snapshot but those that were pinned at the last `hold_pinned`.

        Returns:
            The ids of what was removed.

        Raises:
            CheckpointLockedError: if another writer held the directory for 30 s.
            OSError: if something cannot be removed.
        """
        return self._remove(
            lambda root, shared: discard(root, lambda name: name not in shared.saved_pins)
        )

    def discard(self, snapshot_ids: Collection[str]) -> list[str]:
        """Remove those of these snapshots that are pinned neither now nor at `hold_pinned`.

        Returns:
            The ids of what was removed.

        Raises:
            CheckpointLockedError: if another writer held the directory for 30 s.
            OSError: if something cannot be removed.
        """

        def remove(root: int, shared: SharedDirectory) -> list[str]:
            doomed = set(snapshot_ids) - shared.pinned - shared.saved_pins
            return discard(root, lambda name: name in doomed)

        return self._remove(remove)

    def hold_pinned(self) -> None:
        """Keep what is pinned now from being pruned until this is called again, unpinned or not.

        For a state that was just saved and refers to it.
        """
        with self._reading() as root:
            if root is not None:
                shared = self._share(root)
                with shared.undisturbed():
                    shared.saved_pins = shared.pinned

    def pin(self, snapshot_id: str) -> None:
        """Keep a snapshot from being pruned by this process, until it is unpinned as often.

        Raises:
            CheckpointNotFoundError: if there is no such snapshot.
        """
        with self._finding(snapshot_id) as root:
            shared = self._share(root)
            with shared.undisturbed():
                read_record(root, snapshot_id)
                shared.pins[snapshot_id] += 1

    def unpin(self, snapshot_id: str) -> None:
        """Take back one `pin`; does nothing where there is none."""
        with self._reading() as root:
            shared = self._share(root) if root is not None else SharedDirectory()
            with shared.undisturbed():
                if shared.pins[snapshot_id] > 1:
                    shared.pins[snapshot_id] -= 1
                else:
                    del shared.pins[snapshot_id]

    def _remove(self, remove: Callable[[int, SharedDirectory], list[str]]) -> list[str]:
        """Let a function remove snapshots under the writer lock; nothing where nothing is."""
        with self._reading() as root:
            if root is None:
                return []
            shared = self._share(root)
            with shared.writing(root, _LOCK_TIMEOUT_S):
                return remove(root, shared)

    def _find_best(self, run_id: int | None) -> PolicySnapshot | None:
        for _ in range(MAX_RESCANS):
            with self._reading() as root:
                if root is None:
                    return None
                try:
                    found = self._trusted.find_best(root, run_id)
                except CheckpointNotFoundError:
                    continue  # pruned by another process while it was read
            return None if found is None else self._as_snapshot(*found)
        raise CheckpointError(f"snapshots in {self._root} vanish while they are read; try again")

    @contextmanager
    def _reading(self) -> Generator[int | None]:
        if not self._root.exists():
            yield None
            return
        with open_directory(self._root) as root:
            yield root

    @contextmanager
    def _finding(self, snapshot_id: str) -> Generator[int]:
        """Open the directory that a snapshot of this id may be in."""
        with self._reading() as root:
            if root is None or sequence_of(snapshot_id) is None:
                raise CheckpointNotFoundError(f"there is no {snapshot_id!r} in {self._root}")
            yield root

    def _share(self, root: int) -> SharedDirectory:
        self._shared = shared_directory(root)
        return self._shared

    def _weights_path(self, name: str) -> str:
        return str(self._root / name / WEIGHTS_NAME)

    def _as_snapshot(self, name: str, record: SnapshotRecord) -> PolicySnapshot:
        return PolicySnapshot(
            snapshot_id=name,
            sequence=record.sequence,
            run_id=record.run_id,
            eval_metrics=record.read_metrics(),
            hyperparams=record.read_hyperparams(),
            weights_path=self._weights_path(name),
            episode_id=record.episode_id,
        )


def _is_of(record: SnapshotRecord, snapshot: PolicySnapshot) -> bool:
    return (
        record.sequence == snapshot.sequence
        and record.run_id == snapshot.run_id
        and record.episode_id == snapshot.episode_id
        and is_same(record.read_score(), snapshot.eval_metrics.primary_score)
    )
