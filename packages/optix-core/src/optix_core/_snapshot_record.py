"""The record of a snapshot: what `snapshot.json` says, sealed with a checksum of its own.

No path of a file system is in it that would be used as one: `files` is compared with what is there.
"""

from typing import Any

import msgspec

from optix_core._sealed_json import seal_json, unseal_json
from optix_core._stored_values import from_stored, to_stored
from optix_core.errors import (
    CheckpointCorruptError,
    ContractViolationError,
    HyperparamError,
)
from optix_core.eval_metrics import EvalMetrics
from optix_core.hyperparam_set import HyperparamSet

SCHEMA_VERSION = 2
_CONTENT = "snapshot"
MAX_VALUE_BYTES = 8 * 1024 * 1024
"""Hyperparameters, and metrics, of more JSON than this are refused."""


class StoredFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file or folder of a snapshot's weights."""

    name: str
    """Where it is within the snapshot, parts joined by "/"."""
    size: int
    """Bytes; −1 for a folder."""
    sha256: str
    """Of its bytes; empty for a folder."""


class SnapshotRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything that a snapshot holds beside its weights."""

    sequence: int
    run_id: int
    episode_id: int
    score: Any
    metrics: dict[str, Any]
    hyperparams: dict[str, Any]
    hyperparams_episode_id: int
    files: tuple[StoredFile, ...]
    is_choice: bool = False
    """Whether its run called it its best; version 1 did not say."""

    def read_score(self) -> float:
        """Return the score alone, which costs a tenth of all metrics."""
        return float(from_stored(self.score))

    def read_metrics(self) -> EvalMetrics:
        """Return the outcome of the evaluation."""
        return EvalMetrics(from_stored(self.score), from_stored(self.metrics), self.episode_id)

    def read_hyperparams(self) -> HyperparamSet:
        """Return the hyperparameters."""
        return HyperparamSet(from_stored(self.hyperparams), self.hyperparams_episode_id)


_records = msgspec.json.Decoder(SnapshotRecord)
_encoder = msgspec.json.Encoder()


def new_record(
    metrics: EvalMetrics, hyperparams: HyperparamSet, *, run_id: int, is_choice: bool = False
) -> SnapshotRecord:
    """Make the record of a policy that is not stored yet; sequence and files come later.

    Raises:
        HyperparamError: if a hyperparameter cannot be stored.
        ContractViolationError: if a metric cannot be stored.
    """
    try:
        stored_metrics = _to_bounded(dict(metrics.metrics), "metrics")
    except HyperparamError as error:
        raise ContractViolationError(str(error)) from error
    return SnapshotRecord(
        sequence=0,
        run_id=int(run_id),
        episode_id=int(metrics.episode_id),
        score=to_stored(metrics.primary_score, "primary_score"),
        metrics=stored_metrics,
        hyperparams=_to_bounded(dict(hyperparams.params), "hyperparams"),
        hyperparams_episode_id=int(hyperparams.episode_id),
        files=(),
        is_choice=is_choice,
    )


def encode_record(record: SnapshotRecord) -> bytes:
    """Return the bytes of `snapshot.json`."""
    return seal_json(_encoder.encode(record), _CONTENT, SCHEMA_VERSION)


def decode_record(data: bytes, where: str) -> SnapshotRecord:
    """Read the bytes of `snapshot.json`.

    Raises:
        CheckpointCorruptError: if they are not what was written.
        CheckpointError: if a newer version wrote them.
    """
    record = unseal_json(data, _CONTENT, _records, newest=SCHEMA_VERSION, where=where)
    try:
        # Whoever holds a record may read it: what is in it is known to be whole.
        record.read_metrics()
        record.read_hyperparams()
    except ContractViolationError as error:
        raise CheckpointCorruptError(f"{where} holds no score: {error}") from error
    return record


def _to_bounded(values: dict[str, Any], where: str) -> dict[str, Any]:
    stored = to_stored(values, where)
    size = len(_encoder.encode(stored))
    if size > MAX_VALUE_BYTES:
        raise HyperparamError(
            f"{where} take {size} bytes as JSON, at most {MAX_VALUE_BYTES} are stored; "
            "keep large data with the weights"
        )
    return stored
