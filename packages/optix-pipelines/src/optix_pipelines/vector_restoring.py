"""Puts vector environments back to where they were, those that can be."""

from collections.abc import Mapping
from typing import Any, Protocol, final

import numpy as np
from gymnasium.envs.classic_control.cartpole import CartPoleVectorEnv
from gymnasium.vector import SyncVectorEnv, VectorEnv

from optix_core.abilities import HasState, supports
from optix_core.generator_state import generator_from_state, generator_state
from optix_pipelines.replayable_env import ReplayableEnv

Vectors = VectorEnv[Any, Any, Any]


class Restorer(Protocol):
    """One way to tell where a vector environment stands, and to put it there."""

    def state_dict(self) -> dict[str, Any]:
        """Return where it stands."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> str:
        """Put it there; returns why that was not possible, else nothing."""
        ...


def restorer_of(env: Vectors) -> Restorer | None:
    """Return how to put a vector environment back; None where there is no way.

    One with a `state_dict` of its own does it; of a `SyncVectorEnv` each part plays its last
    episodes again; Gymnasium's vectorised CartPole is known.
    """
    if supports(env, HasState):
        return _ByItself(env)
    if isinstance(env, SyncVectorEnv):
        return _PartByPart(env)
    return _ByAttributes(env) if type(env) is CartPoleVectorEnv else None


@final
class _ByItself:
    def __init__(self, env: HasState) -> None:
        self._env = env

    def state_dict(self) -> dict[str, Any]:
        return self._env.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> str:
        self._env.load_state_dict(state)
        return ""


@final
class _PartByPart:
    def __init__(self, env: SyncVectorEnv) -> None:
        spaces_of: Any = env  # Gymnasium leaves the spaces' parameter open
        self._env = env
        self._actions: Any = spaces_of.action_space
        self._parts = [ReplayableEnv(part) for part in env.envs]
        env.envs = list(self._parts)

    def state_dict(self) -> dict[str, Any]:
        return {"parts": [part.state_dict() for part in self._parts]}

    def load_state_dict(self, state: Mapping[str, Any]) -> str:
        pairs = zip(self._parts, state["parts"], strict=True)
        reasons = [part.load_state_dict(of_part) for part, of_part in pairs]
        if any(reasons):
            return next(filter(None, reasons))
        # The parts answer from memory, once each: so their vector knows which of them to reset.
        self._env.reset()
        self._env.step(self._actions.sample())
        return ""


@final
class _ByAttributes:
    _NAMES = ("state", "steps", "prev_done", "low", "high")

    def __init__(self, env: CartPoleVectorEnv) -> None:
        self._env = env

    def state_dict(self) -> dict[str, Any]:
        attributes = {name: np.copy(getattr(self._env, name)) for name in self._NAMES}
        return {"attributes": attributes, "rng": generator_state(self._env.np_random)}

    def load_state_dict(self, state: Mapping[str, Any]) -> str:
        for name in self._NAMES:
            setattr(self._env, name, state["attributes"][name])
        self._env.np_random = generator_from_state(state["rng"])
        return ""
