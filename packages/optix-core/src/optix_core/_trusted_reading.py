"""Reads the snapshots of a registry that can be trusted; of each damaged one it is told once."""

import logging
from pathlib import Path
from typing import final

from optix_core._retention import rank
from optix_core._snapshot_listing import Listing, read_listing, verify_snapshot
from optix_core._snapshot_record import SnapshotRecord
from optix_core.errors import CheckpointCorruptError

logger = logging.getLogger(__name__)


@final
class TrustedReading:
    """What one registry reads of its directory, and which snapshots it has found damaged."""

    def __init__(self, path: Path) -> None:
        """Read this directory, to which logs and errors refer."""
        self._path = path
        self.distrusted: set[str] = set()
        """Ids of those that were damaged when they were last read."""

    def listing(self, root: int) -> Listing:
        """Read all records of the open directory.

        Raises:
            CheckpointError: if a newer version wrote one of them.
            OSError: if one cannot be read for a reason that may pass.
        """
        listing = read_listing(root)
        for name, error in listing.damaged.items():
            self._distrust(name, error)
        for name, error in listing.unreadable.items():
            if name not in listing.damaged:
                raise error
        return listing

    def find_best(self, root: int, run_id: int | None) -> tuple[str, SnapshotRecord] | None:
        """Return the best snapshot whose files are what was written, by `rank`; None without any.

        Args:
            root: the open directory.
            run_id: the run whose best it is to be; None for the best of all runs.

        Raises:
            CheckpointNotFoundError: if one was pruned while it was read.
            CheckpointCorruptError: if there are snapshots with scores, all of them damaged.
            CheckpointError: if a newer version wrote one of them.
            OSError: if one cannot be read for a reason that may pass.
        """
        listing = self.listing(root)
        damage = list(listing.damaged.values()) if run_id is None else []
        for candidate in rank(listing.candidates):
            if run_id not in (None, candidate.run_id):
                continue
            name, record = candidate.snapshot_id, listing.records[candidate.snapshot_id]
            try:
                verify_snapshot(root, name, record)
            except CheckpointCorruptError as error:
                self._distrust(name, error)
                damage.append(error)
            else:
                self.distrusted.discard(name)
                return name, record
        if damage:
            raise CheckpointCorruptError(
                f"no intact snapshot is left in {self._path}; the first of {len(damage)} "
                f"that are damaged: {damage[0]}"
            ) from damage[0]
        return None

    def _distrust(self, name: str, error: CheckpointCorruptError) -> None:
        if name not in self.distrusted:
            self.distrusted.add(name)
            logger.warning("passing over a damaged snapshot in %s: %s", self._path, error)
