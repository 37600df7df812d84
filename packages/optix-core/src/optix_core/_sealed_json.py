"""JSON that knows its version and a checksum: the records of snapshots, and of states.

    {"schema_version": 2, "sha256": <of the bytes of the content's JSON>, <name>: {...}}

This envelope stays the same in every later version, so that each can tell damage from novelty.
"""

import hashlib
from typing import TypeVar

import msgspec

from optix_core.errors import CheckpointCorruptError, CheckpointError

T = TypeVar("T")

_VERSION, _DIGEST = "schema_version", "sha256"


class _Version(msgspec.Struct, frozen=True):
    schema_version: int


_versions = msgspec.json.Decoder(_Version)
_envelopes = msgspec.json.Decoder(dict[str, msgspec.Raw])
_texts = msgspec.json.Decoder(str)
_encoder = msgspec.json.Encoder()


def seal_json(content: bytes, name: str, version: int) -> bytes:
    """Put JSON into an envelope.

    Args:
        content: valid JSON.
        name: what it is called in there.
        version: of the form of the content.
    """
    digest = hashlib.sha256(content).hexdigest()
    return _encoder.encode({_VERSION: version, _DIGEST: digest, name: msgspec.Raw(content)})


def unseal_json(
    data: bytes, name: str, decoder: msgspec.json.Decoder[T], *, newest: int, where: str
) -> T:
    """Read back what `seal_json` made.

    Args:
        data: all of its bytes.
        name: what the content is called.
        decoder: reads the content.
        newest: the newest version that it reads.
        where: what to call the file in an error.

    Raises:
        CheckpointCorruptError: if it is something else, or was changed.
        CheckpointError: if a newer version wrote it.
    """
    try:
        check_version(read_version(data), newest, where)
        envelope = _envelopes.decode(data)
        if envelope.keys() != {_VERSION, _DIGEST, name}:
            raise CheckpointCorruptError(f"{where} holds {sorted(envelope)}; it is damaged")
        content = bytes(envelope[name])
        if hashlib.sha256(content).hexdigest() != _texts.decode(envelope[_DIGEST]):
            raise CheckpointCorruptError(f"{where} does not match its checksum; it is damaged")
        return decoder.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise CheckpointCorruptError(f"{where} is damaged: {error}") from error


def read_version(data: bytes) -> int:
    """Return the `schema_version` of JSON, whatever else is in it.

    Raises:
        MsgspecError: if there is none.
    """
    return _versions.decode(data).schema_version


def check_version(version: int, newest: int, where: str) -> None:
    """Refuse what a newer version wrote, or none ever did.

    Raises:
        CheckpointError: if the version is newer than ours.
        CheckpointCorruptError: if there never was such a version.
    """
    if version > newest:
        raise CheckpointError(
            f"{where} has schema_version {version}, this optix-core reads up to {newest}; "
            "update optix-core. Nothing was changed"
        )
    if version < 1:
        raise CheckpointCorruptError(f"{where} has schema_version {version}, which never was")
