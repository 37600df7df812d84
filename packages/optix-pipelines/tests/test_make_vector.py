"""make_vector, and whether CartPole's own vector implementation is CartPole."""

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.classic_control.cartpole import CartPoleVectorEnv
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from numpy.testing import assert_allclose, assert_equal

from optix_core.errors import ConfigurationError
from optix_core.testing import FakeAgent
from optix_pipelines import BatchPipeline, make_vector


def cartpole(num_envs: int, **kwargs: Any) -> CartPoleVectorEnv:
    env = make_vector("CartPole-v1", num_envs, **kwargs)
    assert isinstance(env, CartPoleVectorEnv)
    return env


def test_the_fastest_kind_is_chosen() -> None:
    assert isinstance(make_vector("CartPole-v1", 3), CartPoleVectorEnv)
    assert isinstance(make_vector("Acrobot-v1", 3), SyncVectorEnv)
    wrapped = make_vector("CartPole-v1", 3, wrappers=[gymnasium.wrappers.TimeAwareObservation])
    assert isinstance(wrapped, SyncVectorEnv)
    same_step = {"autoreset_mode": AutoresetMode.SAME_STEP}
    assert isinstance(make_vector("CartPole-v1", 2, vector_kwargs=same_step), SyncVectorEnv)
    assert isinstance(make_vector("CartPole-v1", 2, vectorization_mode="sync"), SyncVectorEnv)
    assert make_vector("Acrobot-v1", 5).num_envs == 5


def test_arguments_are_checked() -> None:
    with pytest.raises(ConfigurationError, match="num_envs must be at least 1, got 0"):
        make_vector("CartPole-v1", 0)
    with pytest.raises(gymnasium.error.Error, match="NoSuchEnv"):
        make_vector("NoSuchEnv-v0", 2)


def test_cartpole_moves_as_the_scalar_one_does() -> None:
    vector = cartpole(4)
    vector.reset(seed=3)
    scalars: list[Any] = [gymnasium.make("CartPole-v1") for _ in range(4)]
    starts = np.asarray(vector.state).T.copy()
    for scalar, start in zip(scalars, starts, strict=True):
        scalar.reset()
        scalar.unwrapped.state = start
    rng = np.random.default_rng(0)
    alive = np.ones(4, dtype=bool)
    for _ in range(200):
        actions = rng.integers(2, size=4)
        observations, rewards, terminated, truncated, _ = vector.step(actions)
        for index in np.flatnonzero(alive):
            expected = scalars[index].step(int(actions[index]))
            assert_allclose(observations[index], expected[0], rtol=1e-5, atol=1e-6)
            assert rewards[index] == expected[1]
            assert (terminated[index], truncated[index]) == expected[2:4]
        alive &= ~(terminated | truncated)
        if not alive.any():
            return
    raise AssertionError("an episode of random actions did not end within 200 steps")


@pytest.mark.parametrize("limit", [500, 20])
def test_cartpole_is_truncated_at_its_limit_every_time(limit: int) -> None:
    env = cartpole(2) if limit == 500 else cartpole(2, max_episode_steps=limit)
    env.reset(seed=0)
    ends: list[int] = []
    for step in range(1, 2 * (limit + 1) + 1):
        assert env.state is not None
        env.state[:] = 0.0  # a pole held upright never falls
        _, rewards, terminated, truncated, _ = env.step(np.array([0, 1]))
        assert not terminated.any()
        assert truncated[0] == truncated[1]
        if truncated[0]:
            ends.append(step)
        is_reset_row = bool(ends) and step == ends[-1] + 1
        assert_equal(rewards, np.zeros(2) if is_reset_row else np.ones(2))
    # One more step between the ends: the reset.
    assert ends == [limit, 2 * limit + 1]


def test_cartpole_tells_a_fall_from_a_time_limit() -> None:
    env = cartpole(2, max_episode_steps=5)
    env.reset(seed=0)
    terminated = truncated = np.zeros(2, dtype=np.bool_)
    actions = np.array([0, 1])
    for _ in range(4):
        assert env.state is not None
        env.state[:] = 0.0
        env.step(actions)
    assert env.state is not None
    env.state[2, 0] = 1.0  # far over
    _, _, terminated, truncated, _ = env.step(actions)
    assert terminated.tolist() == [True, False]
    assert truncated.tolist() == [True, True]


def test_cartpole_resets_at_the_next_step_as_it_says() -> None:
    env = cartpole(3)
    env.reset(seed=0)
    actions = np.ones(3, dtype=np.int64)
    ended = np.zeros(3, dtype=np.bool_)
    while not ended.any():
        observations, _, ended, _, _ = env.step(actions)
        assert ((np.abs(observations[:, 2]) > 0.2) == ended).all()
    observations, rewards, terminated, truncated, _ = env.step(actions)
    assert (np.abs(observations[ended]) <= 0.05).all()
    assert_equal(rewards, np.where(ended, 0.0, 1.0))
    assert not (terminated | truncated)[ended].any()


def test_time_limits_hold_one_after_the_other_too() -> None:
    env = make_vector("Pendulum-v1", 2, max_episode_steps=3)
    agent = FakeAgent(draw_action=lambda _: np.zeros(1, np.float32))
    window = next(BatchPipeline(env, agent, 8).episodes())
    assert np.flatnonzero(window.truncated[:, 0]).tolist() == [2, 6]
    assert not window.terminated.any()


def test_windows_of_both_kinds_of_cartpole_hold_like_episodes() -> None:
    """Same distribution of random returns: mean about 22, as one CartPole gives."""
    means: list[float] = []
    for mode in ("vector_entry_point", "sync"):
        env = make_vector("CartPole-v1", 8, vectorization_mode=mode)
        pipeline = BatchPipeline(env, FakeAgent(), 400)
        pipeline.seed(1)
        means.append(float(next(pipeline.episodes()).episode_returns.mean()))
    assert_allclose(means, 22.0, atol=5.0)
