"""Convergence by exponential backoff."""

from optix_core.backoff_scheduler import BackoffScheduler

__all__ = ["BackoffScheduler"]
