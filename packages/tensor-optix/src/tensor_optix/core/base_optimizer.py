"""The contract of a hyperparameter tuner."""

from optix_core import BaseOptimizer

__all__ = ["BaseOptimizer"]
