"""The tuners that `optix train --tuner` knows by name."""

from collections.abc import Callable

from optix_cli.suggestions import did_you_mean
from optix_core import BackoffOptimizer, OptunaOptimizer, PopulationOptimizer
from optix_core.base_optimizer import BaseOptimizer
from optix_core.errors import ConfigurationError

NONE = "none"
"""Nothing but what the loop does of itself: the declared step size is steered."""

_TUNERS: dict[str, Callable[[], BaseOptimizer | None]] = {
    NONE: lambda: None,
    "backoff": BackoffOptimizer,
    "evidence": lambda: BackoffOptimizer(mode="evidence"),
    "optuna": OptunaOptimizer,
    "population": PopulationOptimizer,
}


def make_tuner(name: str) -> BaseOptimizer | None:
    """Make the tuner of this name; None for none.

    Raises:
        ConfigurationError: if there is no such tuner, or what it needs is not installed.
    """
    maker = _TUNERS.get(name)
    if maker is None:
        raise ConfigurationError(
            f"unknown tuner {name!r}.{did_you_mean(name, _TUNERS)} There are {', '.join(_TUNERS)}"
        )
    return maker()
