"""EpisodePipeline: whole episodes, the same ones each time."""

import logging
from collections.abc import Callable
from itertools import islice
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from numpy.testing import assert_equal

from optix_core.base_agent import BaseAgent
from optix_core.episode_data import EpisodeData
from optix_core.errors import ConfigurationError, PipelineError
from optix_core.testing import (
    FakeAgent,
    FakeGreedyAgent,
    FakeStatefulAgent,
    PipelineContract,
)
from optix_pipelines import EpisodePipeline, make_vector

from .counting_env import CountingEnv, count_side_by_side, counting_envs_of

MODES = list(AutoresetMode)
LENGTHS = ([3, 5], [4], [1, 2])


class TestContract(PipelineContract):
    goes_on_across_windows = False

    def make_pipeline(self) -> EpisodePipeline:
        return EpisodePipeline(CountingEnv([3, 5]), n_episodes=4)


class TestVectorContract(PipelineContract):
    goes_on_across_windows = False

    def make_pipeline(self) -> EpisodePipeline:
        return EpisodePipeline(count_side_by_side(LENGTHS, AutoresetMode.NEXT_STEP), n_episodes=4)


class TestSameStepContract(PipelineContract):
    goes_on_across_windows = False

    def make_pipeline(self) -> EpisodePipeline:
        return EpisodePipeline(count_side_by_side(LENGTHS, AutoresetMode.SAME_STEP), n_episodes=4)


class TestDisabledContract(PipelineContract):
    goes_on_across_windows = False

    def make_pipeline(self) -> EpisodePipeline:
        return EpisodePipeline(count_side_by_side(LENGTHS, AutoresetMode.DISABLED), n_episodes=4)


def starts_of(window: EpisodeData) -> list[float]:
    """Seeds that the episodes of a scalar window were reset on."""
    firsts = np.flatnonzero(window.observations[:, 2] == 0)
    return window.observations[firsts, 0].tolist()


def test_window_is_n_whole_episodes_on_distinct_seeds() -> None:
    window = next(EpisodePipeline(CountingEnv([3]), FakeAgent(), 4).episodes())
    assert window.length == 12
    assert window.episode_returns.tolist() == [6.0] * 4
    assert np.flatnonzero(window.dones).tolist() == [2, 5, 8, 11]
    assert len(set(starts_of(window))) == 4


def test_seeds_are_fixed_and_follow_from_one() -> None:
    def starts(seed: int | None, n_episodes: int) -> list[list[float]]:
        pipeline = EpisodePipeline(CountingEnv([2]), FakeAgent(), n_episodes)
        if seed is not None:
            pipeline.validate_on(seed)
        return [starts_of(window) for window in islice(pipeline.episodes(), 3)]

    first, second, third = starts(6, 5)
    assert first == second == third
    assert starts(6, 3)[0] == first[:3]
    assert starts(None, 5) == starts(0, 5)
    assert not set(first) & set(starts(0, 5)[0])


def test_default_is_ten_episodes() -> None:
    window = next(EpisodePipeline(CountingEnv([2]), FakeAgent()).episodes())
    assert len(window.episode_returns) == 10


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("n_episodes", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("agent_type", [FakeStatefulAgent, FakeGreedyAgent])
def test_side_by_side_episodes_are_counted_once_each(
    mode: AutoresetMode, n_episodes: int, agent_type: type[FakeAgent]
) -> None:
    env = count_side_by_side(LENGTHS, mode)
    pipeline = EpisodePipeline(env, agent_type(), n_episodes)
    windows = list(islice(pipeline.episodes(), 3))
    lengths = [LENGTHS[index % 3][0] for index in range(n_episodes)]
    for window in windows:
        assert window.valid is not None
        assert sorted(window.episode_returns) == sorted(sum(range(1, n + 1)) for n in lengths)
        assert window.length == sum(lengths)
        assert np.count_nonzero(window.dones) == n_episodes
        assert not (window.dones & ~window.valid).any()
        assert (window.observations[window.valid][:, 1] == 0).all()
        assert_equal(window.observations[window.valid], windows[0].observations[window.valid])
    _check_layout(windows[0], n_episodes)


def _check_layout(window: EpisodeData, n_episodes: int) -> None:
    """Batches follow each other in time, three at a time, each as long as its longest."""
    assert window.valid is not None
    start = 0
    for first in range(0, n_episodes, 3):
        own = [LENGTHS[index][0] if first + index < n_episodes else 0 for index in range(3)]
        for index, length in enumerate(own):
            expected = np.arange(max(own)) < length
            assert_equal(window.valid[start : start + max(own), index], expected)
        start += max(own)
    assert len(window.valid) == start


def test_each_side_by_side_batch_has_a_seed_of_its_own() -> None:
    env = count_side_by_side([[1], [1]], AutoresetMode.DISABLED)
    window = next(EpisodePipeline(env, FakeAgent(), 4).episodes())
    seeds = window.observations[:, :, 0]
    assert (seeds[:, 1] == seeds[:, 0] + 1).all()
    assert seeds[0, 0] != seeds[1, 0]


def test_agents_asked_one_by_one_are_not_asked_for_those_that_ended() -> None:
    agent = FakeAgent()
    window = next(EpisodePipeline(count_side_by_side(LENGTHS, MODES[0]), agent, 3).episodes())
    assert agent.calls["act"] == window.length == 8


@pytest.mark.parametrize(
    "make_env", [lambda: gymnasium.make("CartPole-v1"), lambda: make_vector("CartPole-v1", 4)]
)
@pytest.mark.parametrize("agent", [FakeGreedyAgent(), FakeStatefulAgent()])
def test_validation_leaves_no_trace_and_repeats(
    make_env: Callable[[], Any], agent: BaseAgent
) -> None:
    assert isinstance(agent, FakeAgent)
    before = agent.rng.bit_generator.state
    pipeline = EpisodePipeline(make_env(), agent, n_episodes=6)
    first, second = list(islice(pipeline.episodes(), 2))
    assert agent.rng.bit_generator.state == before
    assert_equal(first.observations, second.observations)
    assert_equal(first.episode_returns, second.episode_returns)
    if isinstance(agent, FakeGreedyAgent):
        assert (first.actions == 1).all()
        assert agent.calls["act"] == agent.calls["act_batch"] == 0
    pipeline.teardown()


def test_a_greedy_agent_that_acts_on_one_at_a_time_plays_many() -> None:
    class OneByOne(FakeAgent):
        def act_greedy(self, observation: Any) -> Any:
            return int(observation[2]) % 2

    env = count_side_by_side(LENGTHS, AutoresetMode.NEXT_STEP)
    agent = OneByOne()
    window = next(EpisodePipeline(env, agent, 3).episodes())
    assert agent.calls["act"] == 0
    assert counting_envs_of(env)[0].actions == [0, 1, 0]
    assert window.actions[:3, 0].tolist() == [0, 1, 0]


def test_an_episode_that_never_ends_is_cut_off_and_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    pipeline = EpisodePipeline(CountingEnv([3, 3]), FakeAgent(), 2, max_steps=2)
    with caplog.at_level(logging.WARNING):
        windows = list(islice(pipeline.episodes(), 3))
    for window in windows:
        assert window.truncated.tolist() == [False, True, False, True]
        assert not window.terminated.any()
        assert window.episode_returns.tolist() == [3.0, 3.0]
        assert window.next_observations[:, 2].tolist() == [1.0, 2.0, 1.0, 2.0]
        assert window.metadata["episodes_cut_off"] == 2
    assert len(caplog.records) == 1
    assert "2 of 2 episodes did not end within 2 steps" in caplog.text


@pytest.mark.parametrize("mode", MODES)
def test_side_by_side_episodes_that_never_end_are_cut_off(mode: AutoresetMode) -> None:
    env = count_side_by_side([[2], [9], [9]], mode)
    window = next(EpisodePipeline(env, FakeAgent(), 5, max_steps=4).episodes())
    assert window.metadata["episodes_cut_off"] == 3
    assert sorted(window.episode_returns) == [3.0, 3.0, 10.0, 10.0, 10.0]
    assert np.count_nonzero(window.truncated) == 3
    assert window.truncated[3, 1:].tolist() == [True, True]


def test_arguments_are_checked() -> None:
    with pytest.raises(ConfigurationError, match="n_episodes must be at least 1, got 0"):
        EpisodePipeline(CountingEnv([2]), n_episodes=0)
    with pytest.raises(ConfigurationError, match="max_steps must be at least 1, got -1"):
        EpisodePipeline(CountingEnv([2]), max_steps=-1)
    with pytest.raises(ConfigurationError, match="seed must be at least 0, got -2"):
        EpisodePipeline(CountingEnv([2])).validate_on(-2)
    with pytest.raises(PipelineError, match="set_agent"):
        EpisodePipeline(CountingEnv([2])).episodes()


def test_teardown_closes_once() -> None:
    env = CountingEnv([2])
    pipeline = EpisodePipeline(env, FakeAgent())
    next(pipeline.episodes())
    pipeline.teardown()
    pipeline.teardown()
    assert env.n_closes == 1


@pytest.mark.parametrize("mode", MODES)
def test_other_seeds_have_returns_in_an_order_of_their_own(mode: AutoresetMode) -> None:
    # Episodes of 3, 4 and 1 steps side by side, then one more of 3 steps: returns 6, 10, 1 and 6.
    pipeline = EpisodePipeline(count_side_by_side(LENGTHS, mode), FakeAgent())
    window = pipeline.play_episodes([7, 8, 9, 10])
    assert window.episode_returns.tolist() == [1.0, 6.0, 10.0, 6.0]
    assert window.returns_by_environment.tolist() == [6.0, 6.0, 10.0, 1.0]


@pytest.mark.parametrize("seeds", [[], [-1], [0.5]])
def test_other_episodes_need_seeds(seeds: list[Any]) -> None:
    with pytest.raises(ConfigurationError):
        EpisodePipeline(CountingEnv([3]), FakeAgent()).play_episodes(seeds)


def test_other_episodes_need_an_agent() -> None:
    with pytest.raises(PipelineError, match="no agent"):
        EpisodePipeline(CountingEnv([3])).play_episodes([1])
