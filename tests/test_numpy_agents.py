"""The NumPy agents of the examples: the contract, their arithmetic, and that they learn."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from optix_core import BaseAgent, EpisodeData, HyperparamSet, ReturnEvaluator, SimplePipeline
from optix_core.abilities import DeclaresHyperparams, HasActionDistribution, HasState, supports
from optix_core.testing import AgentContract

from .load_example import load_example

ppo: Any = load_example("numpy_ppo")
search: Any = load_example("linear_search")

BOUNDS = np.array([-2.0, -1.0], np.float32), np.array([2.0, 3.0], np.float32)


class _ThreeNumbers(AgentContract):
    def make_observation(self, rng: np.random.Generator) -> Any:
        return rng.standard_normal(3, dtype=np.float32)


class TestDiscretePPO(_ThreeNumbers):
    def make_agent(self, seed: int) -> BaseAgent:
        return ppo.NumpyPPO(3, ppo.Categorical(4), seed=seed, hidden=(8, 8))


class TestContinuousPPO(_ThreeNumbers):
    def make_agent(self, seed: int) -> BaseAgent:
        return ppo.NumpyPPO(3, ppo.SquashedGaussian(*BOUNDS), seed=seed, hidden=(8, 8))


class TestDiscreteSearch(_ThreeNumbers):
    def make_agent(self, seed: int) -> BaseAgent:
        return search.LinearSearch(3, 4, seed=seed)


class TestContinuousSearch(_ThreeNumbers):
    def make_agent(self, seed: int) -> BaseAgent:
        return search.LinearSearch(3, 2, bounds=BOUNDS, seed=seed)


def test_ppo_has_every_ability_that_a_tuner_asks_for() -> None:
    agent = ppo.NumpyPPO(3, ppo.Categorical(4))
    abilities = (DeclaresHyperparams, HasActionDistribution, HasState)
    assert all(supports(agent, ability) for ability in abilities)
    assert set(ppo.DOMAINS) == set(agent.get_hyperparams().params)
    steered = [name for name in ppo.DOMAINS if ppo.DOMAINS[name].role == "step_size"]
    assert steered == ["learning_rate"]


def heads() -> list[Any]:
    return [ppo.Categorical(4), ppo.SquashedGaussian(*BOUNDS)]


@pytest.mark.parametrize("head", heads(), ids=["discrete", "continuous"])
def test_slopes_are_those_of_the_log_probability_and_the_entropy(head: Any) -> None:
    rng = np.random.default_rng(0)
    outputs = rng.standard_normal((5, head.n_outputs))
    extra = np.linspace(-0.5, 0.5, head.n_extra)
    actions, pull = head.sample((outputs, extra), rng), rng.standard_normal(5)
    entropy = 0.3

    def objective(outputs: Any, extra: Any) -> float:
        likelihood = float(pull @ head.log_probability((outputs, extra), actions))
        if head.n_extra:
            return likelihood + entropy * len(outputs) * float(extra.sum())
        probabilities = head.distribution((outputs, extra))
        return likelihood - entropy * float((probabilities * np.log(probabilities)).sum())

    slope, extra_slope = head.slopes((outputs, extra), actions, pull, entropy)
    expected = _differences(partial(objective, extra=extra), outputs)
    np.testing.assert_allclose(slope, expected, atol=1e-5)
    expected = _differences(partial(objective, outputs), extra)
    np.testing.assert_allclose(extra_slope, expected, atol=1e-4)


@pytest.mark.parametrize("head", heads(), ids=["discrete", "continuous"])
def test_divergence_is_the_mean_log_ratio_under_the_old_policy(head: Any) -> None:
    rng = np.random.default_rng(1)
    old = np.full((200_000, head.n_outputs), 0.3), np.full(head.n_extra, -0.4)
    new: Any = old[0] + np.arange(head.n_outputs) * 0.2, old[1] + 0.1
    actions = head.sample(old, rng)
    ratios = head.log_probability(old, actions) - head.log_probability(new, actions)
    assert head.divergence(old, new) == pytest.approx(float(ratios.mean()), abs=0.005)
    assert head.divergence(old, old) == pytest.approx(0.0, abs=1e-12)


def test_backpropagation_agrees_with_differences() -> None:
    rng = np.random.default_rng(2)
    sizes = (3, 5, 4, 2)
    weights = rng.standard_normal((3 + 1) * 5 + (5 + 1) * 4 + (4 + 1) * 2)
    gradients = np.zeros(len(weights))
    tower = ppo.Tower(sizes, weights, gradients)
    inputs, slope = rng.standard_normal((6, 3)), rng.standard_normal((6, 2))
    tower.backward(tower.forward(inputs), slope)

    def objective(flat: Any) -> float:
        return float((ppo.Tower(sizes, flat, gradients).forward(inputs)[-1] * slope).sum())

    expected = _differences(objective, weights)
    np.testing.assert_allclose(gradients, expected, rtol=1e-5, atol=1e-6)


def test_advantages_follow_the_recurrence() -> None:
    """A termination has no future, a truncation that of its true successor."""
    agent = ppo.NumpyPPO(1, ppo.Categorical(2), {"one_minus_gamma": 0.1, "one_minus_lambda": 0.2})
    window = EpisodeData(
        observations=np.array([[0.0], [1.0], [2.0], [3.0]]),
        actions=np.zeros(4, int),
        rewards=np.array([1.0, 2.0, 3.0, 4.0]),
        terminated=np.array([False, True, False, False]),
        truncated=np.array([False, False, True, False]),
        next_observations=np.array([[1.0], [9.0], [7.0], [4.0]]),
    )
    of = {
        x: float(agent._values(np.full((4, 1), float(x)), window)[0, 0])  # noqa: SLF001
        for x in (0, 1, 2, 3, 4, 7)
    }
    deltas = [
        1.0 + 0.9 * of[1] - of[0],
        2.0 - of[1],
        3.0 + 0.9 * of[7] - of[2],
        4.0 + 0.9 * of[4] - of[3],
    ]
    expected = [deltas[0] + 0.9 * 0.8 * deltas[1], *deltas[1:]]
    advantages, targets = agent._advantages(window)  # noqa: SLF001
    np.testing.assert_allclose(advantages.ravel(), expected, rtol=1e-5)
    values = [of[0], of[1], of[2], of[3]]
    np.testing.assert_allclose(targets.ravel(), np.add(expected, values), rtol=1e-5)


def test_a_reward_that_is_not_finite_changes_nothing(tmp_path: Path) -> None:
    agent = ppo.NumpyPPO(1, ppo.Categorical(2))
    agent.save_weights(str(tmp_path / "before"))
    window = EpisodeData(
        observations=np.zeros((4, 1)),
        actions=np.zeros(4, int),
        rewards=np.array([1.0, np.nan, 1.0, 1.0]),
        terminated=np.array([False, False, False, True]),
        truncated=np.zeros(4, bool),
        next_observations=np.zeros((4, 1)),
    )
    assert agent.learn(window) == {"update_skipped": 1.0}
    agent.save_weights(str(tmp_path / "after"))
    assert (tmp_path / "before").read_bytes() == (tmp_path / "after").read_bytes()


def test_the_reset_rows_of_vector_environments_are_not_learned_from(tmp_path: Path) -> None:
    """Whatever stands in a row that is no step, the weights come out the same."""
    rng = np.random.default_rng(3)
    shape = (6, 2)
    ended = np.zeros(shape, bool)
    ended[2] = True
    valid = np.ones(shape, bool)
    valid[3] = False
    observations = rng.standard_normal((*shape, 3))
    for name, junk in (("one", 0.0), ("other", 100.0)):
        observations[3] = junk
        agent = ppo.NumpyPPO(3, ppo.Categorical(2), seed=1)
        agent.learn(
            EpisodeData(
                observations=observations,
                actions=np.zeros(shape, int),
                rewards=np.arange(12.0).reshape(shape),
                terminated=ended,
                truncated=np.zeros(shape, bool),
                next_observations=np.ones((*shape, 3)),
                valid=valid,
            )
        )
        agent.save_weights(str(tmp_path / name))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


class Target:
    """Ten steps an episode; the better, the nearer the action is to twice the observation."""

    def __init__(self) -> None:
        self._rng = np.random.default_rng(0)
        self._steps = 0

    def reset(self, *, seed: int | None = None) -> tuple[Any, dict[str, Any]]:
        if seed is not None:
            self._rng = np.random.default_rng(seed)
        self._steps = 0
        return self._observe(), {}

    def step(self, action: Any, /) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        reward = -float(abs(np.asarray(action).ravel()[0] - 2 * self._shown))
        self._steps += 1
        return self._observe(), reward, self._steps == 10, False, {}

    def _observe(self) -> Any:
        self._shown = self._rng.uniform(-0.5, 0.5)
        return np.array([self._shown], np.float32)


@pytest.mark.parametrize(
    "agent",
    [
        ppo.NumpyPPO(
            1,
            ppo.SquashedGaussian(-np.ones(1), np.ones(1)),
            {"learning_rate": 1e-2},
            hidden=(8, 8),
        ),
        search.LinearSearch(1, 1, bounds=(-np.ones(1), np.ones(1))),
    ],
    ids=["ppo", "search"],
)
def test_they_learn_to_hit_the_target(agent: Any) -> None:
    pipeline = SimplePipeline(Target(), agent, window_size=200)
    pipeline.seed(0)
    windows = pipeline.episodes()
    evaluator = ReturnEvaluator()
    scores: list[float] = []
    for _ in range(64):
        window = next(windows)
        scores.append(evaluator.score(window, {}).primary_score)
        agent.learn(window)
    assert np.mean(scores[-10:]) > 0.6 * scores[0]  # both negative: what is missed shrinks


def test_a_sweep_of_equal_fitness_moves_nothing() -> None:
    agent = search.LinearSearch(1, 2, n_steps=2)
    agent.set_hyperparams(HyperparamSet({"step_size": 1.0, "noise": 0.1}))
    flat = EpisodeData(
        observations=np.zeros((3, 1)),
        actions=np.zeros(3, int),
        rewards=np.ones(3),
        terminated=np.array([False, False, True]),
        truncated=np.zeros(3, bool),
        next_observations=np.zeros((3, 1)),
    )
    for _ in range(4):
        assert agent.learn(flat) == {"fitness": 3.0, "size": 0.0}


def _differences(function: Any, at: Any, by: float = 1e-6) -> Any:
    """Gradient by central differences."""
    at = np.array(at, np.float64)
    gradient = np.zeros_like(at)
    for index in np.ndindex(at.shape):
        ahead, behind = at.copy(), at.copy()
        ahead[index] += by
        behind[index] -= by
        gradient[index] = (function(ahead) - function(behind)) / (2 * by)
    return gradient
