"""Episodes in progress are put back into environments of every kind, or the loss is said."""

from collections.abc import Callable
from itertools import islice
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from numpy.testing import assert_equal

from optix_core import EpisodeData
from optix_core.testing import FakeStatefulAgent
from optix_pipelines import BatchPipeline, make_vector

FIELDS = ("observations", "actions", "rewards", "terminated", "truncated", "next_observations")


def cart_poles(mode: AutoresetMode) -> SyncVectorEnv:
    return SyncVectorEnv([lambda: gymnasium.make("CartPole-v1")] * 3, autoreset_mode=mode)


def short_mountain_cars() -> Any:
    """Episodes of 40 steps, cut off, and so many resets."""
    return make_vector("MountainCar-v0", 2, max_episode_steps=40)


ENVIRONMENTS: dict[str, Callable[[], Any]] = {
    "one": lambda: gymnasium.make("CartPole-v1"),
    "vectorised CartPole": lambda: make_vector("CartPole-v1", 3),
    "side by side": short_mountain_cars,
    "next step": lambda: cart_poles(AutoresetMode.NEXT_STEP),
    "same step": lambda: cart_poles(AutoresetMode.SAME_STEP),
    "no autoreset": lambda: cart_poles(AutoresetMode.DISABLED),
    "endless": lambda: gymnasium.make("Pendulum-v1", max_episode_steps=10**6),
}


def pipeline_over(env: Any, window_size: int) -> tuple[FakeStatefulAgent, BatchPipeline]:
    def draw_action(rng: np.random.Generator) -> Any:
        is_box = isinstance(
            getattr(env, "single_action_space", env.action_space), gymnasium.spaces.Box
        )
        return rng.uniform(-1, 1, size=1).astype(np.float32) if is_box else int(rng.integers(2))

    agent = FakeStatefulAgent(draw_action=draw_action)
    pipeline = BatchPipeline(env, agent, window_size)
    pipeline.setup()
    return agent, pipeline


def assert_same(windows: list[EpisodeData], others: list[EpisodeData]) -> None:
    for window, other in zip(windows, others, strict=True):
        for field in FIELDS:
            assert_equal(getattr(other, field), getattr(window, field))
        assert_equal(other.returns_before, window.returns_before)
        assert_equal(other.valid, window.valid)
        assert_equal(other.episode_returns, window.episode_returns)


@pytest.mark.parametrize("window_size", [7, 400])
@pytest.mark.parametrize("kind", ENVIRONMENTS)
def test_a_pipeline_goes_on_where_it_was(kind: str, window_size: int) -> None:
    agent, pipeline = pipeline_over(ENVIRONMENTS[kind](), window_size)
    pipeline.seed(3)
    windows = pipeline.episodes()
    for n_windows in (1, 5):
        list(islice(windows, n_windows))
        of_agent, of_pipeline = agent.state_dict(), pipeline.state_dict()
        resumed_agent, resumed = pipeline_over(ENVIRONMENTS[kind](), window_size)
        resumed.seed(3)
        resumed_agent.load_state_dict(of_agent)
        resumed.load_state_dict(of_pipeline)
        assert list(resumed.losses) == []
        again = resumed.state_dict()
        assert_equal(again, of_pipeline)
        assert_same(list(islice(windows, 2)), list(islice(resumed.episodes(), 2)))


def test_an_environment_that_cannot_be_put_back_begins_anew() -> None:
    class Closed(VectorEnv[Any, Any, Any]):
        """Hides what it holds."""

        def __init__(self) -> None:
            self.inner = make_vector("CartPole-v1", 2)
            self.num_envs, self.metadata = 2, self.inner.metadata
            spaces: Any = self.inner
            self.observation_space, self.action_space = (
                spaces.observation_space,
                spaces.action_space,
            )
            self.single_observation_space = spaces.single_observation_space
            self.single_action_space = spaces.single_action_space

        def reset(self, **options: Any) -> Any:
            return self.inner.reset(**options)

        def step(self, actions: Any) -> Any:
            return self.inner.step(actions)

    _, pipeline = pipeline_over(Closed(), 5)
    pipeline.seed(3)
    list(islice(pipeline.episodes(), 2))
    _, resumed = pipeline_over(Closed(), 5)
    resumed.load_state_dict(pipeline.state_dict())
    assert list(resumed.losses) == ["Closed begins new episodes: it has no state_dict"]
    window = next(resumed.episodes())
    assert_equal(window.returns_before, np.zeros(2))


def test_parts_that_were_never_seeded_begin_anew() -> None:
    _, pipeline = pipeline_over(cart_poles(AutoresetMode.NEXT_STEP), 5)
    next(pipeline.episodes())
    _, resumed = pipeline_over(cart_poles(AutoresetMode.NEXT_STEP), 5)
    resumed.load_state_dict(pipeline.state_dict())
    (loss,) = resumed.losses
    assert "was not seeded" in loss
    assert next(resumed.episodes()).length == 15
