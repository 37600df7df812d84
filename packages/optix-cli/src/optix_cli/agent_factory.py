"""Finds the maker of an agent: an entry point of group `optix.agents`, or `module:factory`."""

import importlib
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from optix_core.base_agent import BaseAgent
from optix_core.errors import ConfigurationError, ContractViolationError
from optix_core.hyperparam_set import HyperparamSet

from optix_cli.environments import EnvironmentSpaces
from optix_cli.suggestions import did_you_mean

GROUP = "optix.agents"
"""Entry points of this group are called with (observation_space, action_space, *, seed,
hyperparams) and return an agent."""

AgentFactory = Callable[[EnvironmentSpaces, int, Mapping[str, Any]], BaseAgent]
"""Makes an agent for these spaces, from a seed, with these hyperparameters instead of defaults."""


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

    def build(spaces: EnvironmentSpaces, seed: int, hyperparams: Mapping[str, Any]) -> BaseAgent:
        return _checked(
            make(
                spaces.observation_space,
                spaces.action_space,
                seed=seed,
                hyperparams=dict(hyperparams),
            ),
            name,
        )

    return build


def _load(point: EntryPoint) -> Callable[..., object]:
    try:
        return point.load()
    except ImportError as error:
        raise ConfigurationError(f"agent {point.name!r} cannot be imported: {error}") from error


def _from_module(text: str) -> AgentFactory:
    module_name, _, attribute = text.partition(":")
    try:
        _look_in_current_directory()
        module = importlib.import_module(module_name)
    except (ImportError, ValueError) as error:
        raise ConfigurationError(
            f"--agent {text}: module {module_name!r} cannot be imported: {error}. It is looked for "
            "in the current directory and among what is installed"
        ) from error
    factory: object = vars(module).get(attribute)
    if not callable(factory):
        names = [name for name, value in vars(module).items() if callable(value)]
        raise ConfigurationError(
            f"--agent {text}: {module_name} has no function {attribute!r}."
            f"{did_you_mean(attribute, names)}"
        )
    make: Callable[[], object] = factory

    def build(_spaces: EnvironmentSpaces, _seed: int, hyperparams: Mapping[str, Any]) -> BaseAgent:
        agent = _checked(make(), text)
        if hyperparams:
            in_force = agent.get_hyperparams().params
            agent.set_hyperparams(HyperparamSet({**in_force, **hyperparams}))
        return agent

    return build


def _look_in_current_directory() -> None:
    """Find modules in the current directory first, as `python -m` does.

    It stays there: a module may import its neighbours later.
    """
    directory = str(Path.cwd())
    if directory not in sys.path and "" not in sys.path:
        sys.path.insert(0, directory)


def _checked(agent: object, name: str) -> BaseAgent:
    if not isinstance(agent, BaseAgent):
        raise ContractViolationError(
            f"{name} must return a BaseAgent, got {type(agent).__name__}; derive it from "
            "optix_core.BaseAgent"
        )
    return agent
