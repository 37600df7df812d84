"""Looks up a Gymnasium environment by its id and checks that an agent can act in it."""

from dataclasses import dataclass
from typing import Any

import gymnasium
from gymnasium import spaces

from optix_cli.suggestions import did_you_mean
from optix_cli.user_modules import import_from_here
from optix_core.errors import ConfigurationError
from optix_pipelines import BatchPipeline, EpisodePipeline, make_vector

MODULE_MARK = ":"
"""`module:Env-v0` makes Gymnasium import the module."""

MAX_EPISODES_AT_ONCE = 50
"""Episodes played side by side in validation and tests: one call of the policy serves them all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """An environment that Gymnasium knows: what it shows and takes."""

    env_id: str
    """Its full id, with the version and without a module to import."""
    observation_space: spaces.Space[Any]
    """Space of one observation."""
    action_space: spaces.Space[Any]
    """Space of one action: Discrete, or Box of real numbers."""


def look_up_environment(env_id: str) -> Environment:
    """Import the module that a typed id names, make the environment once, read it, close it.

    Raises:
        ConfigurationError: if there is no such environment, it cannot be made here, or its actions
            are neither Discrete nor Box.
    """
    module_name, mark, name = env_id.rpartition(MODULE_MARK)
    if mark:
        import_from_here(module_name, wanted_for=f"environment {env_id}")
    env = _make(name)
    try:
        found = Environment(
            env_id=name if env.spec is None else env.spec.id,
            observation_space=env.observation_space,
            action_space=env.action_space,
        )
    finally:
        env.close()
    if not isinstance(found.action_space, spaces.Discrete | spaces.Box):
        raise ConfigurationError(
            f"{env_id} takes {type(found.action_space).__name__} actions; optix train takes "
            "environments with Discrete or Box actions. Wrap it, or use RLOptimizer with an agent "
            "of your own"
        )
    return found


def _make(env_id: str) -> gymnasium.Env[Any, Any]:
    try:
        return gymnasium.make(env_id)
    except gymnasium.error.UnregisteredEnv as error:
        guess = did_you_mean(env_id, gymnasium.registry)
        raise ConfigurationError(
            f"Gymnasium knows no environment {env_id!r}.{guess} An environment of your own is "
            "registered by its module: my_module:MyEnv-v0"
        ) from error
    except gymnasium.error.Error as error:
        raise ConfigurationError(f"{env_id} cannot be made: {error}") from error


def training_pipeline(env_id: str, *, n_envs: int, window_size: int) -> BatchPipeline:
    """Return windows of `window_size` steps of `n_envs` environments stepped together."""
    return BatchPipeline(make_vector(env_id, n_envs), window_size=window_size)


def episode_pipeline(env_id: str, n_episodes: int) -> EpisodePipeline:
    """Return windows of whole episodes, played in as many environments at once as help."""
    n_envs = min(n_episodes, MAX_EPISODES_AT_ONCE)
    return EpisodePipeline(make_vector(env_id, n_envs), n_episodes=n_episodes)
