"""Makes vector environments, the fastest kind that there is for an id."""

from typing import Any

import gymnasium
from gymnasium.vector import VectorEnv

from optix_core.environment_pipeline import positive_int


def make_vector(env_id: str, num_envs: int, **kwargs: Any) -> VectorEnv[Any, Any, Any]:
    """Make N environments that step together.

    An id whose spec names a `vector_entry_point` (CartPole) gets that implementation, which steps
    all environments in one go; every other id gets one environment after the other
    (`SyncVectorEnv`). Time limits hold in both. Where `wrappers` or `vector_kwargs` are given,
    which vector implementations do not take, it is the latter too.

    Args:
        env_id: as `gymnasium.make` takes it.
        num_envs: number of environments.
        kwargs: handed on to `gymnasium.make_vec`; `vectorization_mode` overrules the choice.

    Raises:
        ConfigurationError: if num_envs is below 1.
        gymnasium.error.Error: if Gymnasium does not know the id.
    """
    n = positive_int("num_envs", num_envs)
    spec = gymnasium.spec(env_id)
    has_own = spec.vector_entry_point is not None and not spec.additional_wrappers
    is_plain = not kwargs.get("wrappers") and not kwargs.get("vector_kwargs")
    mode = "vector_entry_point" if has_own and is_plain else "sync"
    arguments: dict[str, Any] = {"vectorization_mode": mode, **kwargs}
    return gymnasium.make_vec(env_id, n, **arguments)
