"""Which agent trains where none is named, and what loop an agent prefers."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces

from optix_cli.loop_settings import LoopSettings
from optix_cli.suggestions import did_you_mean
from optix_core.abilities import PrefersLoop, supports
from optix_core.base_agent import BaseAgent
from optix_core.errors import ContractViolationError


def agent_for(action_space: spaces.Space[Any]) -> str:
    """Name the agent for a space of actions: `sac` for a Box with bounds, else `ppo`.

    SAC needs fewer steps than PPO where it can be used. PPO plays every kind of actions, and its
    training costs the least time.
    """
    return "sac" if _is_bounded_box(action_space) else "ppo"


def why(action_space: spaces.Space[Any]) -> str:
    """Say why `agent_for` names what it does."""
    kind = f"{type(action_space).__name__} space"
    if _is_bounded_box(action_space):
        kind += " with bounds"
    return f"{agent_for(action_space)}, for actions of a {kind}; --agent names another"


def preferences_of(agent: BaseAgent) -> Mapping[str, Any]:
    """Return the loop settings that an agent prefers; {} if it says nothing of them.

    Raises:
        ContractViolationError: if it names a setting that does not exist.
    """
    if not supports(agent, PrefersLoop):
        return {}
    preferences = dict(agent.loop_preferences())
    known = list(LoopSettings().as_dict())
    for name in preferences:
        if name not in known:
            raise ContractViolationError(
                f"loop_preferences of {type(agent).__name__} names {name!r}, which is no loop "
                f"setting.{did_you_mean(name, known)} Known are {', '.join(known)}"
            )
    return preferences


def _is_bounded_box(space: spaces.Space[Any]) -> bool:
    # Gymnasium leaves the parameter of a Box's arrays open.
    bounds: Any = space
    is_box = isinstance(space, spaces.Box)
    return is_box and bool(np.isfinite(bounds.low).all() and np.isfinite(bounds.high).all())
