"""The registry's index, `manifest.json`: for people and tools to look at, and rebuilt at will.

No decision rests on it but one: a sequence number that it knows of is not given again.
"""

import logging
from typing import Annotated, Any

import msgspec

from optix_core._atomic_io import read_capped
from optix_core._retention import rank
from optix_core._sealed_json import check_version, read_version
from optix_core._snapshot_listing import MAX_SEQUENCE, Listing
from optix_core._snapshot_record import SCHEMA_VERSION
from optix_core.errors import CheckpointCorruptError

logger = logging.getLogger(__name__)

MANIFEST_NAME = "manifest.json"


class _Entry(msgspec.Struct, frozen=True, kw_only=True):
    snapshot_id: str
    sequence: int
    run_id: int
    episode_id: int
    score: Any


class _Manifest(msgspec.Struct, frozen=True, kw_only=True):
    schema_version: int
    last_sequence: Annotated[int, msgspec.Meta(ge=0, le=MAX_SEQUENCE)]
    best: str | None
    snapshots: tuple[_Entry, ...]


_manifests = msgspec.json.Decoder(_Manifest)


def read_last_sequence(root: int) -> int:
    """Return the highest sequence number that the index knows of; 0 where it is absent or damaged.

    Raises:
        CheckpointError: if a newer version wrote it.
        OSError: if it is there and cannot be read.
    """
    try:
        return _decode(read_capped(root, MANIFEST_NAME)).last_sequence
    except FileNotFoundError:
        return 0
    except (
        msgspec.MsgspecError,
        UnicodeDecodeError,
        RecursionError,
        CheckpointCorruptError,
    ) as error:
        logger.warning("%s is damaged and will be rebuilt: %s", MANIFEST_NAME, error)
        return 0


def _decode(data: bytes) -> _Manifest:
    try:
        manifest = _manifests.decode(data)
    except msgspec.ValidationError:
        # Whatever else is in it, a newer version's is none of ours to call damaged.
        check_version(read_version(data), SCHEMA_VERSION, MANIFEST_NAME)
        raise
    check_version(manifest.schema_version, SCHEMA_VERSION, MANIFEST_NAME)
    return manifest


def encode_manifest(listing: Listing, kept: set[str]) -> bytes:
    """Return the bytes of the index of those snapshots of a listing that are kept."""
    ranked = rank(candidate for candidate in listing.candidates if candidate.snapshot_id in kept)
    manifest = _Manifest(
        schema_version=SCHEMA_VERSION,
        last_sequence=listing.last_sequence,
        best=ranked[0].snapshot_id if ranked else None,
        snapshots=tuple(
            _Entry(
                snapshot_id=name,
                sequence=record.sequence,
                run_id=record.run_id,
                episode_id=record.episode_id,
                score=record.score,
            )
            for name, record in listing.records.items()
            if name in kept
        ),
    )
    return msgspec.json.encode(manifest)
