"""Observations and rewards that are not finite, in one of several environments."""

import math
from itertools import islice
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from optix_core import EpisodeData
from optix_core.errors import PipelineError
from optix_core.testing import FakeGreedyAgent
from optix_pipelines import BatchPipeline, EpisodePipeline

MODES = list(AutoresetMode)


class Watched(FakeGreedyAgent):
    """Refuses to see what is not finite."""

    def act_batch(self, observations: Any) -> Any:
        assert np.isfinite(observations).all()
        return super().act_batch(observations)

    def act_greedy_batch(self, observations: Any) -> Any:
        assert np.isfinite(observations).all()
        return super().act_greedy_batch(observations)


class Sick(gymnasium.Env[Any, Any]):
    """Episodes of four steps; at its n-th step the observation or the reward is not finite."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (2,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(
        self, *, observation_at: int = 0, reward_at: int = 0, from_birth: bool = False
    ) -> None:
        self.observation_at, self.reward_at, self.from_birth = observation_at, reward_at, from_birth
        self.n_steps = self.in_episode = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        self.in_episode = 0
        return np.full(2, math.nan if self.from_birth else 0.0, np.float32), {}

    def step(self, action: Any) -> Any:
        self.n_steps += 1
        self.in_episode += 1
        observation = np.full(2, float(self.in_episode), np.float32)
        if self.n_steps == self.observation_at:
            observation[1] = math.inf
        reward = math.nan if self.n_steps == self.reward_at else 1.0
        return observation, reward, self.in_episode >= 4, False, {}


def side_by_side(mode: AutoresetMode, **sickness: Any) -> SyncVectorEnv:
    return SyncVectorEnv([lambda: Sick(**sickness), Sick], autoreset_mode=mode)


def windows_of(mode: AutoresetMode, **sickness: Any) -> list[EpisodeData]:
    pipeline = BatchPipeline(side_by_side(mode, **sickness), Watched(), 10)
    return list(islice(pipeline.episodes(), 3))


@pytest.mark.parametrize("mode", MODES)
def test_all_episodes_are_cut_off_where_one_turns_non_finite(mode: AutoresetMode) -> None:
    first, second, third = windows_of(mode, observation_at=2)
    assert first.metadata["non_finite"] == 1
    assert first.truncated[1].tolist() == [True, True]
    assert first.observations[2].tolist() == [[0.0, 0.0], [0.0, 0.0]]
    for window in (second, third):
        assert "non_finite" not in window.metadata
        assert np.isfinite(window.next_observations).all()
        assert set(window.episode_returns.tolist()) == {4.0}


@pytest.mark.parametrize("mode", MODES)
def test_a_lost_return_is_not_carried_on(mode: AutoresetMode) -> None:
    first, second, _ = windows_of(mode, reward_at=8)
    assert not np.isfinite(first.rewards).all()
    assert second.returns_before is not None
    assert second.returns_before.tolist() == [0.0, 0.0]
    assert np.isfinite(second.episode_returns).all()


def test_a_held_out_episode_ends_there() -> None:
    env = side_by_side(AutoresetMode.NEXT_STEP, observation_at=3)
    window = next(EpisodePipeline(env, Watched(), 2).episodes())
    assert window.metadata["non_finite"] == 1
    assert window.episode_returns.tolist() == [3.0, 3.0]


def test_environments_that_begin_so_are_refused() -> None:
    with pytest.raises(PipelineError, match="not finite 3 times in a row"):
        windows_of(AutoresetMode.SAME_STEP, from_birth=True)
