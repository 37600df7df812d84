"""Hyperparameter optimizers: the documented arithmetic of Backoff and PBT, and branches."""

from optix_core.optimizers.backoff_optimizer import BackoffOptimizer
from optix_core.optimizers.pbt_optimizer import PBTOptimizer
from optix_core.optimizers.population_optimizer import PopulationOptimizer

__all__ = ["BackoffOptimizer", "PBTOptimizer", "PopulationOptimizer"]
