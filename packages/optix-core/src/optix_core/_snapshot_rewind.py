"""Takes back the snapshots that a run saved after its last state: it will save them again."""

import os
from dataclasses import replace

from optix_core._atomic_io import remove_tree
from optix_core._atomic_io import replace as replace_file
from optix_core._manifest import MANIFEST_NAME, encode_manifest, read_last_sequence
from optix_core._snapshot_listing import highest_sequence, read_listing, sequence_of
from optix_core._snapshot_writer import new_temporary


def last_sequence(root: int) -> int:
    """Return the highest sequence number that was ever given in an open directory; 0 for none."""
    return max(highest_sequence(root), read_last_sequence(root))


def rewind(root: int, *, run_id: int, sequence: int) -> list[str]:
    """Remove a run's snapshots behind a sequence number, which is the last given from now on.

    Numbers of other snapshots are not given again. The caller holds the writer lock.

    Returns:
        The names of what was removed.
    """
    listing = read_listing(root)
    doomed = [
        name
        for name, record in listing.records.items()
        if record.run_id == run_id and record.sequence > sequence
    ]
    for name in doomed:
        staged = new_temporary()
        os.rename(name, staged, src_dir_fd=root, dst_dir_fd=root)
        remove_tree(root, staged)
    kept = [name for name in listing.records if name not in doomed]
    numbers = [sequence_of(name) or 0 for name in (*kept, *listing.damaged)]
    after = replace(
        listing,
        records={name: listing.records[name] for name in kept},
        last_sequence=max([sequence, *numbers]),
    )
    index = encode_manifest(after, set(kept))
    replace_file(root, MANIFEST_NAME, index, temporary=new_temporary())
    return doomed
