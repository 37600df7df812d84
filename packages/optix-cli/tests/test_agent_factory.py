"""Agents of entry points: how they are called, and what is said where there are none."""

import sys
from importlib.metadata import EntryPoint
from types import ModuleType
from typing import Any

import pytest
from gymnasium import spaces

from optix_cli import agent_factory
from optix_cli.agent_factory import GROUP, find_factory
from optix_cli.environments import Environment
from optix_core import HyperparamSet
from optix_core.errors import ConfigurationError

from .linear_agent import LinearAgent

ENVIRONMENT = Environment(
    env_id="CartPole-v1",
    observation_space=spaces.Box(-1.0, 1.0, (4,)),
    action_space=spaces.Discrete(2),
)
CALLS: list[tuple[Any, Any, int, dict[str, Any]]] = []


def make_linear(
    observation_space: object, action_space: object, *, seed: int, hyperparams: HyperparamSet
) -> LinearAgent:
    """Make an agent as an entry point does, and remember what it was called with."""
    CALLS.append((observation_space, action_space, seed, dict(hyperparams.params)))
    agent = LinearAgent()
    agent.set_hyperparams(HyperparamSet({**agent.get_hyperparams().params, **hyperparams.params}))
    return agent


MODULE = "agents_of_this_test"
"""What an entry point can name: pytest's own name of this module has a hyphen."""


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let two agents be installed, one of which cannot be imported."""
    points = [
        EntryPoint("linear", f"{MODULE}:make_linear", GROUP),
        EntryPoint("lost", "no_such_module:make", GROUP),
    ]

    def entry_points(*, group: str) -> list[EntryPoint]:
        return [point for point in points if point.group == group]

    module = ModuleType("installed_agents")
    vars(module)["make_linear"] = make_linear
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(agent_factory, "entry_points", entry_points)
    monkeypatch.setitem(sys.modules, MODULE, sys.modules[__name__])
    CALLS.clear()


def test_an_entry_point_is_given_spaces_seed_and_what_was_chosen() -> None:
    build = find_factory("linear")
    agent = build(ENVIRONMENT, 7, lambda params: {"learning_rate": params["learning_rate"] / 2})
    assert agent.get_hyperparams().params == {"learning_rate": 0.005, "note": "none"}
    box = (ENVIRONMENT.observation_space, ENVIRONMENT.action_space, 7)
    assert [(*box, {}), (*box, {"learning_rate": 0.005})] == CALLS


def test_an_agent_of_which_nothing_was_chosen_is_made_once() -> None:
    find_factory("linear")(ENVIRONMENT, 7, lambda _params: {})
    assert len(CALLS) == 1


def test_an_agent_that_cannot_be_imported_says_why() -> None:
    with pytest.raises(ConfigurationError, match="'lost' cannot be imported: No module named"):
        find_factory("lost")


def test_an_agent_that_is_not_installed_is_guessed() -> None:
    with pytest.raises(ConfigurationError, match="Did you mean linear") as caught:
        find_factory("liner")
    assert "Installed: linear, lost" in str(caught.value)
