"""Boosts that follow the regime of the scores."""

from collections.abc import Mapping, Sequence
from typing import cast

import pytest

from optix_core import BaseAgent, EvalMetrics
from optix_core.errors import ConfigurationError
from optix_core.testing import FakeAgent
from optix_evolve import Ensemble, RegimeDetector
from optix_evolve.regime_boosts import RegimeBoosts
from optix_evolve.regime_detector import Regime


class Scripted(RegimeDetector):
    """Names the regime by the newest score: negative ones are volatile."""

    def detect(self, metrics_history: Sequence[EvalMetrics]) -> Regime:
        return "volatile" if metrics_history[-1].primary_score < 0 else "trending"


def ensemble_of(n: int) -> Ensemble:
    ensemble = Ensemble()
    for _ in range(n):
        ensemble.add_agent(FakeAgent(), 1.0)
    return ensemble


def observe(boosts: RegimeBoosts, position: int | None, score: float) -> None:
    boosts.observe([EvalMetrics(score)], position, score)


def boosts_of(
    ensemble: Ensemble, agents: Mapping[str, BaseAgent] | None = None, factor: float = 2.0
) -> RegimeBoosts:
    return RegimeBoosts(ensemble, Scripted(), agents, factor)


def test_the_member_named_for_a_regime_is_boosted_while_it_lasts() -> None:
    ensemble = ensemble_of(3)
    agents = ensemble.agents
    boosts = boosts_of(ensemble, {"trending": agents[1], "volatile": agents[2]}, 3.0)
    observe(boosts, 0, 1.0)
    assert ensemble.population.weights == (1.0, 3.0, 1.0)
    assert ensemble.regime == "trending"
    observe(boosts, 0, 2.0)
    assert ensemble.population.weights == (1.0, 3.0, 1.0)
    observe(boosts, 0, -1.0)
    assert ensemble.population.weights == (1.0, 1.0, 3.0)
    assert ensemble.regime == "volatile"


def test_a_regime_without_a_member_boosts_nobody() -> None:
    ensemble = ensemble_of(2)
    boosts = boosts_of(ensemble, {"trending": ensemble.agents[0]})
    observe(boosts, 0, 1.0)
    observe(boosts, 0, -1.0)
    assert ensemble.population.weights == (1.0, 1.0)


def test_by_default_the_best_in_a_regime_is_boosted() -> None:
    ensemble = ensemble_of(2)
    boosts = boosts_of(ensemble)
    observe(boosts, None, 5.0)
    assert ensemble.population.weights == (1.0, 1.0)
    observe(boosts, 0, 5.0)
    observe(boosts, 1, 9.0)
    assert ensemble.population.weights == (1.0, 2.0)
    observe(boosts, 1, -9.0)
    observe(boosts, 0, -1.0)
    assert ensemble.population.weights == (2.0, 1.0)


def test_a_boost_survives_rebalancing_and_the_caller_s_own_boost() -> None:
    ensemble = ensemble_of(2)
    boosts = boosts_of(ensemble, {"trending": ensemble.agents[0]})
    ensemble.boost(ensemble.agents[0], 3.0)
    observe(boosts, None, 1.0)
    for index, score in enumerate([1.0, 3.0]):
        ensemble.record_agent_score(index, score)
    ensemble.auto_update_weights()
    assert ensemble.population.weights == pytest.approx((0.5 * 6, 1.5))
    observe(boosts, None, -1.0)
    assert ensemble.population.weights == pytest.approx((0.5 * 3, 1.5))


def test_scores_that_measured_nothing_choose_nobody() -> None:
    ensemble = ensemble_of(2)
    boosts = boosts_of(ensemble)
    observe(boosts, 0, 1.0)
    observe(boosts, 1, float("nan"))
    assert ensemble.population.weights == (2.0, 1.0)


def test_without_a_detector_nothing_happens() -> None:
    ensemble = ensemble_of(1)
    RegimeBoosts(ensemble, None, None, 2.0).observe([], 0, 1.0)
    assert ensemble.regime is None


@pytest.mark.parametrize("factor", [0.0, -1.0, float("inf"), float("nan")])
def test_a_factor_out_of_range_is_refused(factor: float) -> None:
    with pytest.raises(ConfigurationError, match="regime_boost"):
        boosts_of(cast("Ensemble", None), factor=factor)
