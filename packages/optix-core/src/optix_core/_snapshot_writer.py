"""Saves a snapshot as one transaction: it is there with all its files, or nothing changed.

Staged under a temporary name, every file checksummed and synced, renamed to its own name, and the
directory synced: then it is committed. Only after that are older ones pruned.
"""

import logging
import os
import re
import secrets
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, replace

import msgspec

from optix_core._atomic_io import DIRECTORY_MODE, names_in, open_directory, remove_tree, write_new
from optix_core._directory_lock import SharedDirectory
from optix_core._manifest import MANIFEST_NAME, encode_manifest, read_last_sequence
from optix_core._retention import Candidate, plan_retention
from optix_core._snapshot_files import RECORD_NAME, seal
from optix_core._snapshot_listing import Listing, read_listing, snapshot_name
from optix_core._snapshot_record import SnapshotRecord, encode_record

logger = logging.getLogger(__name__)

_TEMPORARY_NAME = re.compile(r"\.tmp-[0-9a-f]{16}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotWriter:
    """Writes into one open directory, whose writer lock the caller holds."""

    root: int
    """The directory."""
    shared: SharedDirectory
    """What this process knows of it."""
    max_snapshots: int
    """How many to keep."""
    distrusted: Collection[str]
    """Snapshots known to be damaged: not counted, not removed, never the best."""
    pins_new: bool = False
    """Whether the snapshot is pinned from its first moment."""

    def save(
        self, record: SnapshotRecord, write_weights: Callable[[str], None]
    ) -> tuple[str, SnapshotRecord]:
        """Commit a snapshot, then prune.

        Args:
            record: what to store, save for sequence and files.
            write_weights: called with the temporary name; makes files inside of that directory.

        Returns:
            The snapshot's name and the record as it was stored.

        Raises:
            OSError: if something could not be written; nothing is left behind.
            CheckpointError: if the directory belongs to a newer version; nothing was changed.
        """
        reserved = read_last_sequence(self.root)
        self._remove_leftovers()
        staged = new_temporary()
        self.shared.staged.add(staged)
        try:
            record, listing = self._stage(staged, record, write_weights, reserved=reserved)
            self._commit(staged, record, listing)
        except BaseException:
            self._discard(staged)
            raise
        finally:
            self.shared.staged.discard(staged)
        name = snapshot_name(record.sequence)
        if self.pins_new:
            self.shared.pins[name] += 1
        return name, record

    def _stage(
        self,
        staged: str,
        record: SnapshotRecord,
        write_weights: Callable[[str], None],
        *,
        reserved: int,
    ) -> tuple[SnapshotRecord, Listing]:
        """Fill a folder of that name; returns the record in it, and what else there is."""
        os.mkdir(staged, DIRECTORY_MODE, dir_fd=self.root)
        write_weights(staged)
        with open_directory(staged, inside=self.root) as folder:
            files = seal(folder)
            # Not before: the agent's own save may have saved other snapshots here.
            listing = read_listing(self.root)
            sequence = 1 + max(listing.last_sequence, reserved)
            record = msgspec.structs.replace(record, sequence=sequence, files=files)
            write_new(folder, RECORD_NAME, encode_record(record))
            os.fsync(folder)
        return record, listing

    def _commit(self, staged: str, record: SnapshotRecord, before: Listing) -> None:
        name, index = snapshot_name(record.sequence), new_temporary()
        after = replace(
            before, records={**before.records, name: record}, last_sequence=record.sequence
        )
        kept = self._plan(after, name)
        try:
            write_new(self.root, index, encode_manifest(after, kept.difference(self.distrusted)))
            os.rename(staged, name, src_dir_fd=self.root, dst_dir_fd=self.root)
        except BaseException:
            self._discard(index)
            raise
        self._replace_index(index)
        os.fsync(self.root)
        self._prune(after, kept)

    def _replace_index(self, index: str) -> None:
        try:
            os.rename(index, MANIFEST_NAME, src_dir_fd=self.root, dst_dir_fd=self.root)
        except OSError as error:
            # The snapshot is there; whoever reads it does not ask the index.
            logger.warning("could not replace %s: %s", MANIFEST_NAME, error)
            self._discard(index)

    def _discard(self, name: str) -> None:
        # An error on top of an error would hide the first; the next save removes what is left.
        with suppress(OSError):
            remove_tree(self.root, name)

    def _plan(self, listing: Listing, newest: str) -> set[str]:
        by_name = {candidate.snapshot_id: candidate for candidate in listing.candidates}
        trusted: list[Candidate] = [
            candidate for name, candidate in by_name.items() if name not in self.distrusted
        ]
        pinned = [*self.shared.pinned, *self.shared.saved_pins]
        kept = plan_retention(
            trusted,
            max_snapshots=self.max_snapshots,
            newest=by_name[newest],
            pinned=[*pinned, newest] if self.pins_new else pinned,
        )
        return kept.union(self.distrusted)

    def _prune(self, listing: Listing, kept: Collection[str]) -> None:
        if listing.unreadable:
            names = ", ".join(listing.unreadable)
            logger.warning("nothing is pruned, because %s cannot be read", names)
            return
        for name in listing.records.keys() - kept:
            try:
                doomed = new_temporary()
                os.rename(name, doomed, src_dir_fd=self.root, dst_dir_fd=self.root)
                remove_tree(self.root, doomed)
            except OSError as error:
                # The new snapshot is safe; the next save removes what is left over.
                logger.warning("could not remove the old %s: %s", name, error)

    def _remove_leftovers(self) -> None:
        for name in names_in(self.root):
            if _TEMPORARY_NAME.fullmatch(name) and name not in self.shared.staged:
                try:
                    remove_tree(self.root, name)
                except OSError as error:
                    logger.warning("could not remove the leftover %s: %s", name, error)


def new_temporary() -> str:
    """Return a name for what is being written or removed; a leftover of that form is removed."""
    return f".tmp-{secrets.token_hex(8)}"
