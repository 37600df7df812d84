"""When a vector environment begins a new episode, as it says of itself."""

from typing import Any, cast

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray

from optix_core.episode_data import BoolArray
from optix_core.errors import ConfigurationError, PipelineError
from optix_core.row_values import own


def autoreset_mode(env: VectorEnv[Any, Any, Any]) -> AutoresetMode:
    """Read `env.metadata["autoreset_mode"]`; a guess would put rewards into the wrong episode.

    Raises:
        ConfigurationError: if it is missing or unknown.
    """
    stated = env.metadata.get("autoreset_mode")
    try:
        return AutoresetMode(stated)
    except ValueError as error:
        raise ConfigurationError(
            f'metadata["autoreset_mode"] of {type(env).__name__} must be a gymnasium.vector.'
            f"AutoresetMode, got {stated!r}; set it to what the environment does"
        ) from error


def with_final_observations(
    rows: NDArray[Any], ended: BoolArray, infos: dict[str, Any]
) -> NDArray[Any]:
    """Put the final observations of a SAME_STEP reset in the place of the first of new episodes.

    Raises:
        PipelineError: if infos holds none for an environment that ended.
    """
    finals = cast("object", infos.get("final_obs"))
    successors = rows.copy()
    for env in np.flatnonzero(ended):
        final = None if finals is None else cast("Any", finals)[env]
        if final is None:
            raise PipelineError(
                f"environment {env} ended an episode without infos['final_obs'][{env}], which "
                "SAME_STEP autoreset must give; use NEXT_STEP, or let the environment give it"
            )
        successors[env] = own(final)
    return successors
