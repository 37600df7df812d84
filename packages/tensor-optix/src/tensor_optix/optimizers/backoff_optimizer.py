"""Two-phase finite differences."""

from optix_core import BackoffOptimizer

__all__ = ["BackoffOptimizer"]
