"""Removes snapshots that have no claim to be kept, and says so in the index."""

import os
from collections.abc import Callable, Collection
from dataclasses import replace

from optix_core._atomic_io import remove_tree
from optix_core._atomic_io import replace as replace_file
from optix_core._manifest import MANIFEST_NAME, encode_manifest, read_last_sequence
from optix_core._snapshot_listing import Listing, highest_sequence, read_listing, sequence_of
from optix_core._snapshot_writer import new_temporary


def last_sequence(root: int) -> int:
    """Return the highest sequence number that was ever given in an open directory; 0 for none."""
    return max(highest_sequence(root), read_last_sequence(root))


def rewind(root: int, *, run_id: int, sequence: int) -> list[str]:
    """Take back what a run saved behind a sequence number, the last given from now on.

    It will save them again. Numbers of other snapshots are not given again. The caller holds the
    writer lock.

    Returns:
        The names of what was removed.
    """
    listing = read_listing(root)
    doomed = [
        name
        for name, record in listing.records.items()
        if record.run_id == run_id and record.sequence > sequence
    ]
    kept = [name for name in (*listing.records, *listing.damaged) if name not in doomed]
    last = max([sequence, *(sequence_of(name) or 0 for name in kept)])
    _remove(root, doomed, replace(listing, last_sequence=last))
    return doomed


def discard(root: int, is_doomed: Callable[[str], bool]) -> list[str]:
    """Remove the snapshots of these names. No number is given again; the caller holds the lock.

    Returns:
        The names of what was removed.
    """
    listing = read_listing(root)
    doomed = [name for name in (*listing.records, *listing.damaged) if is_doomed(name)]
    if doomed:
        _remove(root, doomed, replace(listing, last_sequence=last_sequence(root)))
    return doomed


def _remove(root: int, doomed: Collection[str], listing: Listing) -> None:
    for name in doomed:
        staged = new_temporary()
        os.rename(name, staged, src_dir_fd=root, dst_dir_fd=root)
        remove_tree(root, staged)
    records = {name: record for name, record in listing.records.items() if name not in doomed}
    index = encode_manifest(replace(listing, records=records), set(records))
    replace_file(root, MANIFEST_NAME, index, temporary=new_temporary())
