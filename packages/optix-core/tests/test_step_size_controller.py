"""The controller brings a wrong step size to its target, by whatever means the agent offers."""

import logging
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from optix_core import Domain
from optix_core.errors import CheckpointCorruptError, ConfigurationError
from optix_core.step_size_controller import StepSizeController, sample_observations
from optix_core.step_size_rule import CHURN_BAND, RATIO_BAND, TARGET_KL

from .steered_agents import (
    BatchCoinAgent,
    CoinAgent,
    GaussianAgent,
    GreedyAgent,
    MeasuringCoinAgent,
    StatefulCoinAgent,
    TellingCoinAgent,
    WeighingAgent,
    window,
)


def controller(step_param: str | None = None, seed: int = 0) -> StepSizeController:
    return StepSizeController(np.random.default_rng(seed), step_param)


def train(
    agent: CoinAgent, n_windows: int, by: StepSizeController | None, *, first: int = 0
) -> None:
    for window_id in range(first, first + n_windows):
        data = window(window_id=window_id)
        if by is not None:
            by.before_learn(agent, data)
        diagnostics = agent.learn(data)
        if by is not None:
            by.after_learn(data, diagnostics)


def divergence(agent: CoinAgent) -> float:
    """Of one lesson at the step size in force; of a Gaussian of unit variance, or of a coin."""
    rate = float(agent.params["learning_rate"])
    x = window().observations[:, 0]
    if isinstance(agent, GaussianAgent):
        return float(np.mean((rate * x) ** 2) / 2)
    p, q = 0.5, 1 / (1 + np.exp(-rate * x))
    return float(np.mean(p * np.log(p / q) + p * np.log(p / (1 - q))))


@pytest.mark.parametrize(
    "kind",
    [
        MeasuringCoinAgent,
        TellingCoinAgent,
        BatchCoinAgent,
        StatefulCoinAgent,
        GaussianAgent,
    ],
)
@pytest.mark.parametrize("start", [0.003, 9.0])
def test_a_wrong_step_size_is_brought_to_the_target(kind: type[CoinAgent], start: float) -> None:
    agent = kind(start)
    train(agent, 40, controller())
    assert TARGET_KL / 4 < divergence(agent) < TARGET_KL * 4


def test_without_state_only_what_is_proven_too_large_is_cut() -> None:
    large, small, good = CoinAgent(9.0), CoinAgent(0.01), CoinAgent(0.12)
    for agent in (large, small, good):
        train(agent, 60, controller())
    assert TARGET_KL / 4 < divergence(large) < 0.3
    assert small.params["learning_rate"] == 0.01
    assert good.params["learning_rate"] >= 0.12 / 1.5


def test_a_greedy_policy_is_held_within_the_churn_band() -> None:
    for start in (0.005, 9.0):
        agent = GreedyAgent(start)
        train(agent, 60, controller())
        churn = agent.params["learning_rate"] / 4.0  # of 1,000 observations within [-2, 2]
        assert CHURN_BAND[0] / 1.6 < churn < CHURN_BAND[1] * 1.6


@pytest.mark.parametrize("start", [1e-4, 0.1, 9.0])
def test_an_agent_that_says_how_far_its_weights_went_is_not_probed(
    start: float, caplog: pytest.LogCaptureFixture
) -> None:
    agent = WeighingAgent(start)
    with caplog.at_level(logging.INFO, logger="optix_core.step_size_controller"):
        train(agent, 40, controller())
    assert RATIO_BAND[0] <= agent.params["learning_rate"] / 100 <= RATIO_BAND[1]
    assert agent.n_acts == 0
    assert not caplog.records


def test_lessons_that_move_the_weights_too_far_are_taken_back() -> None:
    by, data = controller(), window()
    assert by.after_learn(data, {"update_ratio": 0.0})  # nothing was learned yet
    assert [by.after_learn(data, {"update_ratio": 0.02}) for _ in range(9)] == [False] * 8 + [True]
    by.on_restart()
    assert not by.after_learn(data, {"update_ratio": 0.02})
    assert by.after_learn(data, {"update_ratio": 0.009})
    assert by.is_watchful
    assert by.after_learn(data, {"update_ratio": 0.001})
    assert not by.is_watchful
    assert by.after_learn(data, {"update_ratio": 0.02})


def test_a_divergence_counts_for_more_than_weights() -> None:
    by, data = controller(), window()
    by.after_learn(data, {"update_ratio": 1.0, "kl": 0.004})
    agent = CoinAgent(0.1)
    by.before_learn(agent, data)
    assert agent.params["learning_rate"] == pytest.approx(0.1 * 1.5)


def test_a_change_takes_effect_with_the_next_lesson() -> None:
    agent, by = MeasuringCoinAgent(0.6), controller()
    data = window()
    assert by.before_learn(agent, data) is None
    by.after_learn(data, agent.learn(data))
    assert agent.params["learning_rate"] == 0.6  # what made the policy is still in force
    change = by.before_learn(agent, window(window_id=1))
    assert change == ({"learning_rate": 0.6}, {"learning_rate": pytest.approx(0.6 / 1.5**2)})


@pytest.mark.parametrize("kind", [StatefulCoinAgent, BatchCoinAgent, TellingCoinAgent])
def test_an_agent_with_state_is_left_without_a_trace(kind: type[StatefulCoinAgent]) -> None:
    steered, alone = kind(0.12, seed=5), kind(0.12, seed=5)
    by = controller()
    for window_id in range(4):
        data = window(window_id=window_id)
        by.before_learn(steered, data)
        steered.params["learning_rate"] = 0.12
        by.after_learn(data, steered.learn(data))
        alone.learn(data)
        assert steered.rng.bit_generator.state == alone.rng.bit_generator.state


def test_runs_of_one_seed_are_the_same() -> None:
    agents = [CoinAgent(2.0, seed=3) for _ in range(2)]
    for agent in agents:
        train(agent, 20, controller(seed=4))
    assert agents[0].rates == agents[1].rates
    assert agents[0].rng.bit_generator.state == agents[1].rng.bit_generator.state


def test_acting_one_by_one_is_bounded_and_grows_rare() -> None:
    agent = StatefulCoinAgent(0.17)
    train(agent, 64, controller())
    assert agent.n_acts <= 3 * 250 * 64 / 4


@pytest.mark.parametrize("kind", [MeasuringCoinAgent, TellingCoinAgent, WeighingAgent])
def test_a_lesson_that_changed_nothing_moves_nothing(kind: type[CoinAgent]) -> None:
    agent = kind(0.1)
    agent.direction = 0.0
    train(agent, 10, controller())
    assert set(agent.rates) == {0.1}


def test_actions_that_never_differ_raise_the_step_size_after_a_while() -> None:
    agent = BatchCoinAgent(1e-5)
    train(agent, 3, controller())
    assert set(agent.rates) == {1e-5}
    train(agent, 10, controller())
    assert agent.rates[-1] > 1e-4


class NoProbeAgent(BatchCoinAgent):
    def hyperparam_space(self) -> Mapping[str, Domain]:
        return {"learning_rate": Domain(role="step_size", probe=False)}

    def act_batch(self, observations: Any) -> Any:
        raise AssertionError


class TextAgent(CoinAgent):
    def act(self, observation: Any) -> Any:
        return "left" if super().act(observation) else "right"


class AimingAgent(StatefulCoinAgent):
    def act(self, observation: Any) -> Any:
        return self.weight * observation


class RememberingAgent(StatefulCoinAgent):
    ballast = np.zeros(200_000)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (NoProbeAgent, "probe=False"),
        (TextAgent, "cannot be measured"),
        (AimingAgent, "cannot be measured"),
        (RememberingAgent, "too large"),
    ],
)
def test_it_abstains_and_says_so_once(
    kind: type[CoinAgent], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    agent = kind(9.0)
    with caplog.at_level(logging.INFO, logger="optix_core.step_size_controller"):
        train(agent, 6, controller())
    assert set(agent.rates) == {9.0}
    assert len(caplog.records) == 1
    assert reason in caplog.text
    # Whoever opted out is not warned of it.
    asked_for = kind is NoProbeAgent
    assert caplog.records[0].levelno == (logging.INFO if asked_for else logging.WARNING)


class FussyAgent(TellingCoinAgent):
    def action_distribution(self, observations: Any) -> Any:
        raise KeyError("camera")


def test_an_agent_that_cannot_be_asked_hears_how_to_opt_out() -> None:
    with pytest.raises(KeyError, match="camera") as caught:
        train(FussyAgent(0.1), 2, controller())
    assert "probe=False" in "".join(caught.value.__notes__)


def test_a_broken_policy_keeps_its_step_size_and_an_infinite_change_cuts_it() -> None:
    agent, by = CoinAgent(3.0), controller()
    for kl, expected in (
        (float("nan"), 3.0),
        (0.03, 2.0),
        (-1e-4, 3.0),
        (float("inf"), 3.0 / 1.5**4),
    ):
        by.after_learn(window(), {"kl": kl})
        by.before_learn(agent, window())
        assert agent.params["learning_rate"] == pytest.approx(expected)


def test_a_restart_drops_what_was_concluded() -> None:
    agent, by = CoinAgent(3.0), controller()
    by.after_learn(window(), {"kl": 5.0})
    by.on_restart()
    assert by.before_learn(agent, window()) is None


def test_bounds_of_the_domain_are_never_left() -> None:
    agent = MeasuringCoinAgent(1e-6)
    agent.hyperparam_space = lambda: {
        "learning_rate": Domain(low=1e-6, high=1e-5, role="step_size")
    }
    train(agent, 20, controller())
    assert agent.params["learning_rate"] == 1e-5


@pytest.mark.parametrize("kind", [StatefulCoinAgent, CoinAgent, TellingCoinAgent])
def test_its_state_goes_on_where_it_was_saved(kind: type[CoinAgent]) -> None:
    first, by = kind(4.0, seed=1), controller(seed=2)
    train(first, 7, by)
    second, other = kind(4.0, seed=1), controller(seed=9)
    train(second, 7, controller(seed=2))
    other.load_state_dict(by.state_dict())
    train(first, 20, by, first=7)
    train(second, 20, other, first=7)
    assert first.rates == second.rates
    assert other.state_dict() == by.state_dict()


def test_a_state_of_something_else_is_refused() -> None:
    with pytest.raises(CheckpointCorruptError):
        controller().load_state_dict({"rng": {}})
    state = controller().state_dict()
    del state["factor"]
    with pytest.raises(CheckpointCorruptError, match="StepSizeController"):
        controller().load_state_dict(state)


def test_observations_are_drawn_from_valid_rows_without_repeats() -> None:
    rng = np.random.default_rng(0)
    data = window(50)
    assert len(sample_observations(data, 256, rng)) == 50
    some = sample_observations(data, 20, rng)
    assert len(np.unique(some)) == 20
    assert np.isin(some, data.observations).all()


def test_an_agent_that_declares_two_step_sizes_is_asked_to_choose() -> None:
    agent = CoinAgent()
    agent.params["other"] = 1.0
    both = {name: Domain(role="step_size") for name in agent.params}
    agent.hyperparam_space = lambda: both
    with pytest.raises(ConfigurationError, match="learning_rate, other"):
        controller().before_learn(agent, window())
    controller("other").before_learn(agent, window())


def test_a_ruinous_lesson_is_not_to_stand_until_one_was_as_it_should_be() -> None:
    by = controller()
    agent, data = MeasuringCoinAgent(), window()
    answers: list[bool] = []
    watched: list[bool] = []
    for kl in (5.0, 0.11, 0.09, math.nan, 0.1, 2.0, 0.02, 5.0, math.inf):
        by.before_learn(agent, data)
        watched.append(by.is_watchful)
        answers.append(by.after_learn(data, {"kl": kl}))
    assert answers == [False, False, True, True, True, False, True, True, True]
    assert watched == [True] * 7 + [False, False]
    by.on_restart()
    assert by.is_watchful


def rates(by: StepSizeController, *divergences: float) -> list[float]:
    """Return by what each of these lessons moves the step size."""
    agent, data, moves = MeasuringCoinAgent(1e-6), window(), list[float]()
    for kl in divergences:
        before = agent.params["learning_rate"]
        by.after_learn(data, {"kl": kl})
        by.before_learn(agent, data)
        moves.append(agent.params["learning_rate"] / before)
    return moves


def test_a_step_size_rises_fast_until_it_was_right_once() -> None:
    by = controller()
    expected = [1.5**4, 1.0, 1.5, 1.5**4, 1.0, 1.5]
    assert rates(by, 1e-6, 0.0, -1e-3, 1e-6, 0.006, 1e-6) == pytest.approx(expected)
    by.on_restart()
    assert rates(by, 1e-6) == pytest.approx([1.5**4])


def test_no_more_than_eight_lessons_raise_the_step_size_fast() -> None:
    by = controller()
    assert rates(by, *[1e-6] * 10) == pytest.approx([1.5**4] * 8 + [1.5] * 2)
    assert not by.is_watchful


def test_no_more_than_eight_lessons_are_taken_back() -> None:
    by = controller()
    agent, data = MeasuringCoinAgent(), window()
    answers: list[bool] = []
    for _ in range(10):
        by.before_learn(agent, data)
        answers.append(by.after_learn(data, {"kl": 1.0}))
    assert answers == [False] * 8 + [True] * 2


@pytest.mark.parametrize("kind", [MeasuringCoinAgent, TellingCoinAgent])
def test_the_first_lesson_too_is_seen_where_nobody_has_to_act(kind: type[CoinAgent]) -> None:
    by, agent, data = controller(), kind(10.0), window()
    by.before_learn(agent, data)
    assert not by.after_learn(data, agent.learn(data))
    assert agent.n_acts == 0


def test_an_agent_that_is_not_to_be_asked_is_not_watched() -> None:
    class Silent(TellingCoinAgent):
        def hyperparam_space(self) -> Mapping[str, Domain]:
            return {"learning_rate": Domain(low=1e-6, high=10.0, role="step_size", probe=False)}

    by, agent, data = controller(), Silent(10.0), window()
    for _ in range(2):
        by.before_learn(agent, data)
        assert by.after_learn(data, agent.learn(data))
    assert not by.is_watchful
