"""Makes what the next round trains: a perturbed copy of the best, or a fresh start."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from optix_core import BaseAgent, CheckpointRegistry, Domain, HyperparamSet, PolicySnapshot
from optix_core.abilities import DeclaresHyperparams, supports
from optix_core.domain_arithmetic import fit, mutate
from optix_core.domain_inference import UNIT_INTERVAL
from optix_core.errors import ContractViolationError, LoopError, OptixError
from optix_core.hyperparam_space import HyperparamSpace
from optix_core.step_size import ROLE as STEP_SIZE

Changes = dict[str, tuple[Any, Any]]

_DECADES = 0.3


def fresh_agent(factory: Callable[[], BaseAgent]) -> BaseAgent:
    """Call a factory.

    Raises:
        LoopError: if it raises; the text names it and its error is the cause.
        ContractViolationError: if it returns anything but an agent.
    """
    name = getattr(factory, "__qualname__", type(factory).__name__)
    try:
        agent = factory()
    except OptixError:
        raise
    except Exception as error:
        raise LoopError(f"agent_factory {name} raised {type(error).__name__}: {error}") from error
    if not isinstance(agent, BaseAgent):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ContractViolationError(
            f"agent_factory {name} must return a BaseAgent, got {type(agent).__name__}"
        )
    return agent


def make_variant(
    shell: BaseAgent,
    parent: PolicySnapshot,
    registry: CheckpointRegistry,
    *,
    noise_scale: float,
    rng: np.random.Generator,
) -> Changes:
    """Load the parent into a fresh agent, then perturb its hyperparameters.

    Returns:
        Old and new value of each hyperparameter that changed.

    Raises:
        CheckpointError: if the parent cannot be read.
        ContractViolationError: if the agent does not take over what it was given.
    """
    registry.load(parent, shell)
    params = shell.get_hyperparams().params
    space = _space_of(shell)
    changed = {
        name: mutate(domain, params[name], noise_scale, rng)
        for name, domain in space.tunable(params).items()
    }
    _put_into_force(shell, params | changed, parent.episode_id)
    return {name: (params[name], value) for name, value in changed.items() if value != params[name]}


def draw_anew(shell: BaseAgent, *, rng: np.random.Generator, window_id: int) -> Changes:
    """Give a fresh agent, whose weights stay as they are, hyperparameters drawn from the prior.

    A declared domain with two bounds is drawn from evenly, by factors where it is on a log scale;
    anything else tunable becomes θ · 10^(0.3 N(0, 1)). The step size stays as the factory set it:
    it is found while training.

    Returns:
        Old and new value of each hyperparameter that changed.

    Raises:
        ContractViolationError: if the agent does not take over what it was given.

    References:
        Jaderberg et al., Population based training of neural networks, 2017: resampling.
    """
    params = shell.get_hyperparams().params
    drawn = {
        name: _draw(domain, params[name], rng)
        for name, domain in _space_of(shell).tunable(params).items()
        if domain.role != STEP_SIZE
    }
    _put_into_force(shell, params | drawn, window_id)
    return {name: (params[name], value) for name, value in drawn.items() if value != params[name]}


def _draw(domain: Domain, theta: Any, rng: np.random.Generator) -> Any:
    low, high = domain.low, domain.high
    if domain == UNIT_INTERVAL or low is None or high is None:
        return fit(domain, theta, float(theta) * 10.0 ** (_DECADES * rng.standard_normal()))
    if domain.log:
        return fit(domain, theta, math.exp(rng.uniform(math.log(low), math.log(high))))
    return fit(domain, theta, rng.uniform(low, high))


def _space_of(agent: object) -> HyperparamSpace:
    space = HyperparamSpace()
    if supports(agent, DeclaresHyperparams):
        space.declare(agent.hyperparam_space())
    return space


def _put_into_force(agent: BaseAgent, params: Mapping[str, Any], window_id: int) -> None:
    agent.set_hyperparams(HyperparamSet(dict(params), window_id))
    held = agent.get_hyperparams().params
    if held != params:
        differing = [name for name in params if held.get(name) != params[name]]
        raise ContractViolationError(
            f"{type(agent).__name__} was given hyperparameters for a variant and holds others: "
            f"{differing}; let get_hyperparams return what set_hyperparams was given"
        )
