"""How an episode in progress is put back, and what is said where it cannot be."""

from collections.abc import Mapping
from itertools import islice
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_equal

from optix_core import SimplePipeline, episode_replay
from optix_core.errors import PipelineError
from optix_core.testing import FakeStatefulAgent

from .resume_scene import NoisyWalk


class Stateful(NoisyWalk):
    """Tells where it is."""

    def reset(self) -> tuple[Any, dict[str, Any]]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return super().reset(seed=self.n_resets)

    def state_dict(self) -> dict[str, Any]:
        """Return place and generator."""
        return {
            "place": self.place.copy(),
            "rng": self.rng.bit_generator.state,
            "n": self.n_resets,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put both back."""
        self.place, self.n_resets = state["place"].copy(), state["n"]
        self.rng.bit_generator.state = state["rng"]


class Drifting(NoisyWalk):
    """Does not do the same twice."""

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        observation, reward, _, truncated, info = super().step(action)
        return observation + np.random.default_rng().random(), reward, False, truncated, info


class Endless(NoisyWalk):
    """Never ends an episode."""

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        observation, reward, *_ = super().step(action)
        return observation, reward, False, False, {}


class Opaque(Stateful):
    """Shows what nobody can store."""

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        _, reward, _, truncated, info = super().step(action)
        return object(), reward, False, truncated, info


def pipeline_over(env: Any) -> SimplePipeline:
    return SimplePipeline(env, FakeStatefulAgent(), window_size=25)


def resumed_from(first: Any, second: Any, *, seed: int | None = 1) -> SimplePipeline:
    pipeline = pipeline_over(first)
    if seed is not None:
        pipeline.seed(seed)
    next(pipeline.episodes())
    resumed = pipeline_over(second)
    resumed.load_state_dict(pipeline.state_dict())
    return resumed


def test_an_environment_that_tells_its_state_is_put_back() -> None:
    pipeline = pipeline_over(Stateful())
    windows = pipeline.episodes()
    for _ in range(4):
        next(windows)
        agent, resumed = FakeStatefulAgent(), pipeline_over(Stateful())
        resumed.set_agent(agent)
        resumed.load_state_dict(pipeline.state_dict())
        assert list(resumed.losses) == []
        assert_equal(resumed.state_dict(), pipeline.state_dict())


@pytest.mark.parametrize(
    ("first", "second", "seed", "said"),
    [
        (Drifting, Drifting, 1, "the same actions led elsewhere"),
        (NoisyWalk, NoisyWalk, None, "it was not seeded"),
        (Stateful, NoisyWalk, None, "it has no state_dict any more"),
        (Opaque, Opaque, None, "its observation cannot be stored"),
    ],
)
def test_what_cannot_be_put_back_is_said(
    first: type[NoisyWalk], second: type[NoisyWalk], seed: int | None, said: str
) -> None:
    resumed = resumed_from(first(), second(), seed=seed)
    (loss,) = resumed.losses
    assert loss.startswith(f"{second.__name__} begins a new episode: ")
    assert said in loss
    window = next(resumed.episodes())
    assert window.returns_before is not None
    assert window.returns_before.tolist() == [0.0]


def test_an_episode_that_is_too_long_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(episode_replay, "MAX_STEPS", 20)
    monkeypatch.setattr("optix_core.environment_seat.MAX_STEPS", 20)
    (loss,) = resumed_from(Endless(), Endless()).losses
    assert "longer than 20 steps" in loss


def test_seeds_come_back_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds: list[int | None] = []

    class Listening(NoisyWalk):
        def reset(self, *, seed: int | None = None) -> tuple[Any, dict[str, Any]]:
            seeds.append(seed)
            return super().reset(seed=seed)

    pipeline = pipeline_over(Listening())
    pipeline.seed(7)
    list(islice(pipeline.episodes(), 100))
    given = [seed for seed in seeds if seed is not None]
    # 2,500 steps in episodes of ten on average.
    assert given[0] == 7
    assert len(given) == 3
    assert len(set(given)) == 3
    assert len(seeds) > 100


def test_a_reset_of_a_wrong_form_is_named() -> None:
    class Old(NoisyWalk):
        def reset(self, *, seed: int | None = None) -> Any:
            return np.zeros(3)

    with pytest.raises(PipelineError, match="reset of Old must return"):
        next(pipeline_over(Old()).episodes())
