"""Hyperparameter optimizers: the documented arithmetic of Backoff and PBT, and branches."""

from typing import TYPE_CHECKING, Any

from optix_core.optimizers.backoff_optimizer import BackoffOptimizer
from optix_core.optimizers.pbt_optimizer import PBTOptimizer

if TYPE_CHECKING:
    from optix_core.optimizers.optuna_optimizer import OptunaOptimizer
    from optix_core.optimizers.population_optimizer import PopulationOptimizer

__all__ = ["BackoffOptimizer", "OptunaOptimizer", "PBTOptimizer", "PopulationOptimizer"]


def __getattr__(name: str) -> Any:
    # Not above: most runs do without, and they would take a twelfth of the time of importing core.
    if name == "OptunaOptimizer":
        from optix_core.optimizers.optuna_optimizer import OptunaOptimizer  # noqa: PLC0415

        return OptunaOptimizer
    if name == "PopulationOptimizer":
        from optix_core.optimizers.population_optimizer import PopulationOptimizer  # noqa: PLC0415

        return PopulationOptimizer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
