"""The snapshots of a run directory."""

from optix_core import CheckpointRegistry

__all__ = ["CheckpointRegistry"]
