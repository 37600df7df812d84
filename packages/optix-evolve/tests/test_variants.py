"""Variants: the parent's policy in a fresh agent, its hyperparameters moved a little."""

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from optix_core import BaseAgent, CheckpointRegistry, Domain, EvalMetrics, HyperparamSet
from optix_core.errors import CheckpointError, ContractViolationError, LoopError
from optix_core.testing import FakeAgent
from optix_evolve.variants import draw_anew, fresh_agent, make_variant

PARAMS = {"learning_rate": 0.01, "gamma": 0.99, "n_layers": 3, "name": "a", "is_on": True}


def variant_of(
    registry: CheckpointRegistry, shell: BaseAgent, *, noise_scale: float = 0.1, seed: int = 0
) -> dict[str, tuple[Any, Any]]:
    parent = FakeAgent(PARAMS)
    parent.skill = 7.0
    snapshot = registry.save(parent, EvalMetrics(1.0), HyperparamSet(dict(PARAMS)))
    rng = np.random.default_rng(seed)
    return make_variant(shell, snapshot, registry, noise_scale=noise_scale, rng=rng)


def test_a_variant_has_the_parent_s_weights_and_moved_hyperparameters(tmp_path: Path) -> None:
    shell = FakeAgent({"learning_rate": 99.0})
    changes = variant_of(CheckpointRegistry(tmp_path), shell)
    held = shell.get_hyperparams().params
    assert shell.skill == 7.0
    assert {name: new for name, (_, new) in changes.items()} == {
        name: held[name] for name in changes
    }
    assert all(old == PARAMS[name] for name, (old, _) in changes.items())
    assert {"learning_rate", "gamma"} <= set(changes)
    assert (held["name"], held["is_on"]) == ("a", True)


@pytest.mark.parametrize("seed", range(20))
def test_types_and_bounds_survive_strong_noise(tmp_path: Path, seed: int) -> None:
    shell = FakeAgent()
    variant_of(CheckpointRegistry(tmp_path), shell, noise_scale=5.0, seed=seed)
    held = shell.get_hyperparams().params
    assert {name: type(value) for name, value in held.items()} == {
        name: type(value) for name, value in PARAMS.items()
    }
    assert 0.0 < held["gamma"] < 1.0
    assert held["learning_rate"] > 0.0


def test_one_seed_makes_one_variant(tmp_path: Path) -> None:
    registry = CheckpointRegistry(tmp_path)
    first = variant_of(registry, FakeAgent(), seed=1)
    assert variant_of(registry, FakeAgent(), seed=1) == first
    assert variant_of(registry, FakeAgent(), seed=2) != first


class Deaf(FakeAgent):
    """Ignores what it is given once its weights are loaded."""

    def get_hyperparams(self) -> HyperparamSet:
        return HyperparamSet(dict(PARAMS))


def test_an_agent_that_does_not_take_over_its_hyperparameters_is_named(tmp_path: Path) -> None:
    with pytest.raises(ContractViolationError, match=r"Deaf .*variant.*learning_rate"):
        variant_of(CheckpointRegistry(tmp_path), Deaf())


def test_factories_that_fail_are_named() -> None:
    def broken() -> BaseAgent:
        raise ValueError("no GPU")

    def wrong() -> BaseAgent:
        return cast("BaseAgent", "an agent")

    def typed() -> BaseAgent:
        raise CheckpointError("no file")

    with pytest.raises(LoopError, match="broken raised ValueError: no GPU") as caught:
        fresh_agent(broken)
    assert isinstance(caught.value.__cause__, ValueError)
    with pytest.raises(ContractViolationError, match=r"wrong must return a BaseAgent, got str"):
        fresh_agent(wrong)
    with pytest.raises(CheckpointError, match="no file"):
        fresh_agent(typed)


class Declaring(FakeAgent):
    """Declares a domain of each kind."""

    def hyperparam_space(self) -> dict[str, Domain]:
        return {
            "learning_rate": Domain(low=1e-6, high=1.0, log=True, role="step_size"),
            "entropy": Domain(low=1e-4, high=1e-1, log=True),
            "layers": Domain(low=1, high=9, integer=True),
            "share": Domain(low=0.0, high=2.0),
            "weight": Domain(),
        }


def test_a_fresh_start_draws_from_the_domains_and_leaves_the_step_size() -> None:
    given = {"learning_rate": 0.1, "entropy": 0.01, "layers": 3, "share": 1.0, "weight": 5.0}
    rng = np.random.default_rng(0)
    drawn: list[dict[str, Any]] = []
    for _ in range(300):
        agent = Declaring(given)
        changes = draw_anew(agent, rng=rng, window_id=7)
        params = agent.get_hyperparams().params
        assert changes == {
            name: (given[name], value) for name, value in params.items() if value != given[name]
        }
        drawn.append(params)
    assert {params["learning_rate"] for params in drawn} == {0.1}
    assert {params["layers"] for params in drawn} == set(range(1, 10))
    assert all(isinstance(params["layers"], int) for params in drawn)
    decades = np.log10([params["entropy"] for params in drawn])
    assert decades.min() >= -4.0
    assert decades.max() <= -1.0
    assert abs(float(decades.mean()) + 2.5) < 0.2
    assert abs(float(np.mean([params["share"] for params in drawn])) - 1.0) < 0.15
    spread = np.log10([params["weight"] / 5.0 for params in drawn])
    assert abs(float(spread.std()) - 0.3) < 0.05
