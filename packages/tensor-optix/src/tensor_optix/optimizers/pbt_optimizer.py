"""Exploit and explore over a history of hyperparameters."""

from optix_core import PBTOptimizer

__all__ = ["PBTOptimizer"]
