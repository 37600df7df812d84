"""Which agent trains where none is named, and that its preferences for the loop are heard."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from optix_cli import train_request
from optix_cli.agent_choice import agent_for, preferences_of, why
from optix_cli.agent_factory import AgentFactory
from optix_cli.train_request import PreparedRun, TrainRequest, prepare
from optix_core.errors import ConfigurationError, ContractViolationError

from .linear_agent import LinearAgent


class FussyAgent(LinearAgent):
    """Prefers small windows."""

    wanted: Mapping[str, Any] = {
        "n_envs": 1,
        "window_size": 64,
        "base_interval": 16,
        "max_interval_episodes": 32,
    }

    def loop_preferences(self) -> Mapping[str, Any]:
        return self.wanted


class MistakenAgent(FussyAgent):
    """Prefers what there is not."""

    wanted: Mapping[str, Any] = {"windowsize": 64}


@pytest.mark.parametrize(
    ("space", "name", "reason"),
    [
        (spaces.Discrete(3), "ppo", "Discrete space;"),
        (spaces.Box(-1.0, 1.0, (2,)), "sac", "Box space with bounds;"),
        (spaces.Box(-np.inf, 1.0, (2,)), "ppo", "Box space;"),
    ],
)
def test_actions_choose_the_agent(space: spaces.Space[Any], name: str, reason: str) -> None:
    assert agent_for(space) == name
    assert why(space).startswith(f"{name}, for actions of a {reason}")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let a fussy agent be what every name is made into, and remember the names."""
    names = list[str]()

    def find(name: str) -> AgentFactory:
        names.append(name)
        return lambda _environment, _seed, _choose: FussyAgent()

    monkeypatch.setattr(train_request, "find_factory", find)
    return names


def prepared(env_id: str = "CartPole-v1", *assignments: str, **given: Any) -> PreparedRun:
    return prepare(
        TrainRequest(
            env_id=env_id, seed=0, run_dir=Path("nowhere"), assignments=assignments, **given
        )
    )


@pytest.mark.parametrize(("env_id", "name"), [("CartPole-v1", "ppo"), ("Pendulum-v1", "sac")])
def test_an_agent_that_is_not_named_is_chosen_and_written_down(
    asked: list[str], env_id: str, name: str
) -> None:
    assert prepared(env_id).sections()["train"]["agent"] == name
    assert asked == [name]


def test_an_agent_that_is_named_is_taken(asked: list[str]) -> None:
    assert prepared("Pendulum-v1", agent="td3").agent_name == "td3"
    assert asked == ["td3"]


@pytest.mark.usefixtures("asked")
def test_preferences_are_below_what_is_typed_and_above_the_defaults() -> None:
    run = prepared("CartPole-v1", "window_size=32", max_steps=100)
    settings = run.settings
    assert (settings.n_envs, settings.window_size, settings.base_interval) == (1, 32, 16)
    assert settings.validation_episodes == 30
    assert run.max_windows == 3
    assert run.sections()["collection"]["window_size"] == 32


@pytest.mark.usefixtures("asked")
def test_a_budget_below_the_preferred_window_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="at least one window, 64 steps"):
        prepared(max_steps=63)


def test_a_preference_that_does_not_exist_is_the_agents_mistake() -> None:
    with pytest.raises(ContractViolationError, match=r"'windowsize'.* Did you mean window_size"):
        preferences_of(MistakenAgent())
    assert preferences_of(LinearAgent()) == {}
