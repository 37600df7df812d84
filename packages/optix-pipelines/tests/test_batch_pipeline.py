"""BatchPipeline over one Gymnasium environment."""

from itertools import islice
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from numpy.testing import assert_equal

from optix_core.errors import ConfigurationError
from optix_core.testing import FakeAgent, FakeGreedyAgent, PipelineContract
from optix_pipelines import BatchPipeline

from .counting_env import CountingEnv, trajectory


class TestContract(PipelineContract):
    def make_pipeline(self) -> BatchPipeline:
        return BatchPipeline(CountingEnv([3, 5]), window_size=7)


class TestContractOnCartPole(PipelineContract):
    def make_pipeline(self) -> BatchPipeline:
        return BatchPipeline(gymnasium.make("CartPole-v1"), window_size=30)


class TestContractOnPendulum(PipelineContract):
    def make_pipeline(self) -> BatchPipeline:
        return BatchPipeline(gymnasium.make("Pendulum-v1"), window_size=30)

    def draw_action(self, rng: np.random.Generator) -> Any:
        return rng.uniform(-2.0, 2.0, 1).astype(np.float32)


def test_windows_in_a_row_are_the_trajectory() -> None:
    pipeline = BatchPipeline(CountingEnv([3, 5, 1]), FakeAgent(), 4)
    pipeline.seed(9)
    windows = list(islice(pipeline.episodes(), 6))
    expected = trajectory([3, 5, 1], 24, seed=9)
    assert_equal(
        np.concatenate([w.observations for w in windows]), [row.observation for row in expected]
    )
    assert_equal(
        np.concatenate([w.next_observations for w in windows]), [row.successor for row in expected]
    )
    assert_equal(np.concatenate([w.rewards for w in windows]), [row.reward for row in expected])
    assert_equal(
        np.concatenate([w.truncated for w in windows]), [row.truncated for row in expected]
    )


def test_defaults_are_documented_ones() -> None:
    pipeline = BatchPipeline(env=CountingEnv([3]), agent=FakeAgent())
    assert next(pipeline.episodes()).length == 200
    assert not pipeline.is_live


def test_dict_and_tuple_spaces_pass_through() -> None:
    space = spaces.Dict(
        {"at": spaces.Box(0, 99, (3,), np.float64), "pair": spaces.Tuple([spaces.Discrete(99)] * 2)}
    )
    env = CountingEnv(
        [3],
        lambda buffer: {"at": buffer, "pair": (int(buffer[1]), int(buffer[2]))},
        observation_space=space,
        action_space=spaces.Dict({"go": spaces.Discrete(2)}),
    )
    action = {"go": 1}
    window = next(BatchPipeline(env, FakeAgent(draw_action=lambda _: action), 5).episodes())
    assert all(given is action for given in env.actions)
    assert window.actions.tolist() == [action] * 5
    assert [row["pair"] for row in window.observations] == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]
    assert [row["at"][2] for row in window.next_observations] == [1, 2, 3, 1, 2]


def test_time_limit_is_a_truncation() -> None:
    env = gymnasium.make("Pendulum-v1", max_episode_steps=4)
    agent = FakeAgent(draw_action=lambda _: np.zeros(1, np.float32))
    window = next(BatchPipeline(env, agent, 8).episodes())
    assert np.flatnonzero(window.truncated).tolist() == [3, 7]
    assert not window.terminated.any()
    assert len(window.episode_returns) == 2


def test_validation_is_greedy_where_the_agent_can() -> None:
    agent = FakeGreedyAgent()
    pipeline = BatchPipeline(gymnasium.make("CartPole-v1"), agent, 50)
    pipeline.validate_on(7)
    before = agent.rng.bit_generator.state
    window = next(pipeline.episodes())
    assert window.actions.tolist() == [1] * 50
    assert agent.rng.bit_generator.state == before


def test_teardown_closes_the_environment_once_also_after_an_error() -> None:
    env = CountingEnv([3])
    pipeline = BatchPipeline(env, FakeAgent(raise_at={"act": 2}), 5)
    with pytest.raises(RuntimeError) as raised:
        next(pipeline.episodes())
    assert raised.value.__notes__ == ["Optix: at step 1 of window 0"]
    pipeline.teardown()
    pipeline.teardown()
    assert env.n_closes == 1


def test_arguments_are_checked() -> None:
    with pytest.raises(ConfigurationError, match="window_size must be at least 1, got 0"):
        BatchPipeline(CountingEnv([3]), window_size=0)
    nothing: Any = None
    with pytest.raises(ConfigurationError, match="reset and step, got NoneType"):
        BatchPipeline(nothing)
