"""Hyperparameter optimizers: the documented arithmetic of Backoff and PBT."""

from optix_core.optimizers.backoff_optimizer import BackoffOptimizer
from optix_core.optimizers.pbt_optimizer import PBTOptimizer

__all__ = ["BackoffOptimizer", "PBTOptimizer"]
