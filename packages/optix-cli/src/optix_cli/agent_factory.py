"""Finds the maker of an agent: an entry point of group `optix.agents`, or `module:factory`."""

from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from optix_cli.environments import Environment
from optix_cli.suggestions import did_you_mean
from optix_cli.user_modules import import_from_here
from optix_core.base_agent import BaseAgent
from optix_core.errors import ConfigurationError, ContractViolationError
from optix_core.hyperparam_set import HyperparamSet

GROUP = "optix.agents"
"""Entry points of this group are called with (observation_space, action_space, *, seed,
hyperparams), a HyperparamSet of what differs from the defaults, and return an agent."""

ChooseParams = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Given an agent's own hyperparameters, returns those to have instead; the rest stay."""

AgentFactory = Callable[[Environment, int, ChooseParams], BaseAgent]
"""Makes an agent for this environment, from a seed, with the hyperparameters that are chosen."""


def is_typed_module(agent: str) -> bool:
    """Whether an agent is named by a module to import, and not by an entry point."""
    return ":" in agent


def find_factory(agent: str) -> AgentFactory:
    """Find the maker of an agent by what was typed. Imports it, so TensorFlow for `ppo`.

    Raises:
        ConfigurationError: if nothing is called so, or it cannot be imported or called.
    """
    return _from_module(agent) if is_typed_module(agent) else _from_entry_point(agent)


def _from_entry_point(name: str) -> AgentFactory:
    found = entry_points(group=GROUP)
    chosen = next((point for point in found if point.name == name), None)
    if chosen is None:
        known = sorted({point.name for point in found})
        raise ConfigurationError(
            f"no installed agent is called {name!r}.{did_you_mean(name, known)} Installed: "
            f"{', '.join(known) or 'none; install optix-tf'}. An agent of your own is named "
            "my_package.my_module:make_agent"
        )
    make = _load(chosen)

    def build(environment: Environment, seed: int, choose: ChooseParams) -> BaseAgent:
        def make_with(hyperparams: dict[str, Any]) -> BaseAgent:
            spaces = (environment.observation_space, environment.action_space)
            made = make(*spaces, seed=seed, hyperparams=HyperparamSet(hyperparams))
            return _checked(made, name)

        agent = make_with({})
        chosen = dict(choose(agent.get_hyperparams().params))
        # Some hyperparameters shape the network, so they are there from the start.
        return make_with(chosen) if chosen else agent

    return build


def _load(point: EntryPoint) -> Callable[..., object]:
    try:
        return point.load()
    except ImportError as error:
        raise ConfigurationError(f"agent {point.name!r} cannot be imported: {error}") from error


def _from_module(text: str) -> AgentFactory:
    module_name, _, attribute = text.partition(":")
    module = import_from_here(module_name, wanted_for=f"--agent {text}")
    factory: object = vars(module).get(attribute)
    if not callable(factory):
        names = [name for name, value in vars(module).items() if callable(value)]
        raise ConfigurationError(
            f"--agent {text}: {module_name} has no function {attribute!r}."
            f"{did_you_mean(attribute, names)}"
        )
    make: Callable[[], object] = factory

    def build(_environment: Environment, _seed: int, choose: ChooseParams) -> BaseAgent:
        agent = _checked(make(), text)
        in_force = agent.get_hyperparams().params
        chosen = choose(in_force)
        if chosen:
            agent.set_hyperparams(HyperparamSet({**in_force, **chosen}))
        return agent

    return build


def _checked(agent: object, name: str) -> BaseAgent:
    if not isinstance(agent, BaseAgent):
        raise ContractViolationError(
            f"{name} must return a BaseAgent, got {type(agent).__name__}; derive it from "
            "optix_core.BaseAgent"
        )
    return agent
