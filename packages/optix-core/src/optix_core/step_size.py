"""The step size of an agent: which hyperparameter it is, and within what it may be steered."""

import difflib
from dataclasses import dataclass
from typing import Any

from optix_core.abilities import DeclaresHyperparams, supports
from optix_core.base_agent import BaseAgent
from optix_core.domain import Domain
from optix_core.domain_arithmetic import fit
from optix_core.domain_inference import is_number
from optix_core.errors import ConfigurationError

ROLE = "step_size"
"""The role by which a domain declares it."""
ADAM_CAP = 1e-2
ADAM_FLOOR = 1e-6
"""Ends for step sizes of Adam's scale, the ones that rl_games and rsl_rl use for the same rule."""
CAP_FACTOR = 30.0
"""Beyond Adam's scale the user's own value sets the scale: at most this many times it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSize:
    """The one hyperparameter that sets by how much a lesson changes the policy."""

    name: str
    """Its name."""
    domain: Domain
    """Where it may move; its bounds win over every other limit."""

    def scaled(self, value: Any, factor: float, *, start: float) -> Any:
        """Multiply a value, within its limits; the type stays.

        Up: max(θ, min(θ · factor, cap)), so that a value above the cap is never raised, nor cut.
        Down: min(θ, max(θ · factor, floor)). Cap and floor are the domain's bounds; where it has
        none, 1e-2 and 1e-6 for a start of at most 1e-2, 30 times the start and 1e-6 otherwise.

        Args:
            value: θ, positive.
            factor: positive.
            start: what the user set.
        """
        floor, cap = self.limits(start)
        theta = float(value)
        if factor > 1.0:
            proposed = max(theta, min(theta * factor, cap))
        else:
            proposed = min(theta, max(theta * factor, floor))
        return fit(self.domain, value, proposed)

    def limits(self, start: float) -> tuple[float, float]:
        """Return floor and cap for what the user set at the start."""
        cap = ADAM_CAP if start <= ADAM_CAP else CAP_FACTOR * start
        floor = min(ADAM_FLOOR, start)
        low, high = self.domain.low, self.domain.high
        return (floor if low is None else low, cap if high is None else high)


def find_step_size(agent: BaseAgent, step_param: str | None) -> StepSize | None:
    """Return the step size that the agent declares, or the hyperparameter that was named.

    Args:
        agent: whose hyperparameters.
        step_param: a hyperparameter's name, which wins over a declaration; None to go by that.

    Returns:
        None where none is declared, or it is no positive number (None, or a schedule).

    Raises:
        ConfigurationError: if the agent has no hyperparameter of that name, it is no positive
            number, or several are declared and none is named.
    """
    params = agent.get_hyperparams().params
    space = dict(agent.hyperparam_space()) if supports(agent, DeclaresHyperparams) else {}
    if step_param is not None:
        return _named(step_param, params, space)
    declared = [
        name
        for name, domain in space.items()
        if domain.role == ROLE and domain.choices is None and name in params
    ]
    if len(declared) > 1:
        raise ConfigurationError(
            f"{type(agent).__name__} declares several step sizes: {', '.join(declared)}; give "
            "one role='step_size', or name it by step_param"
        )
    if not declared or not _is_positive(params[declared[0]]):
        return None
    return StepSize(name=declared[0], domain=space[declared[0]])


def _named(name: str, params: dict[str, Any], space: dict[str, Domain]) -> StepSize:
    if name not in params:
        near = difflib.get_close_matches(name, list(params), 1)
        guess = f" Did you mean {near[0]!r}?" if near else ""
        raise ConfigurationError(
            f"step_param names {name!r}, which the agent does not have.{guess} It has "
            f"{', '.join(params) or 'no hyperparameters'}"
        )
    domain = space.get(name, Domain())
    if domain.choices is not None:
        raise ConfigurationError(
            f"step_param names {name!r}, which the agent declares as a category, "
            f"{domain.choices}; a step size has no choices"
        )
    if not _is_positive(params[name]):
        raise ConfigurationError(
            f"step_param names {name!r}, which must be a positive number to be steered, got "
            f"{params[name]!r}"
        )
    return StepSize(name=name, domain=domain)


def _is_positive(value: object) -> bool:
    return is_number(value) and float(value) > 0.0  # pyright: ignore[reportArgumentType]
