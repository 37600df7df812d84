"""An environment that misbehaves on request, and a run of the smallest agent in it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from optix_core import LoopCallback, RLOptimizer, RunReport, SimplePipeline
from optix_core.testing import FakeStatefulAgent


class Watched(FakeStatefulAgent):
    """Takes note of what it was shown: nothing that is not finite may be among it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.seen_non_finite = 0

    def act(self, observation: Any) -> Any:
        self.seen_non_finite += not np.isfinite(observation).all()
        return super().act(observation)

    def learn(self, episode_data: Any) -> dict[str, Any]:
        arrays = (episode_data.rewards, episode_data.observations, episode_data.next_observations)
        self.seen_non_finite += not all(np.isfinite(array).all() for array in arrays)
        return super().learn(episode_data)


class Misbehaving:
    """Episodes of five steps with reward 1; at given steps something else, or an error."""

    def __init__(
        self,
        *,
        rewards: Mapping[int, float] | None = None,
        observations: Mapping[int, Any] | None = None,
        errors: Mapping[int, BaseException] | None = None,
    ) -> None:
        self.rewards = rewards or {}
        self.observations = observations or {}
        self.errors = errors or {}
        self.n_steps = self.n_resets = self.n_closes = 0
        self.in_episode = 0

    def reset(self, *, seed: int | None = None) -> tuple[Any, dict[str, Any]]:
        self.n_resets += 1
        self.in_episode = 0
        return np.zeros(3), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.n_steps += 1
        self.in_episode += 1
        if self.n_steps in self.errors:
            raise self.errors[self.n_steps]
        observation = np.full(3, float(self.in_episode))
        observation[1] = self.observations.get(self.n_steps, 1.0)
        reward = self.rewards.get(self.n_steps, 1.0)
        return observation, reward, self.in_episode >= 5, False, {}

    def close(self) -> None:
        self.n_closes += 1


def optimizer_of(
    directory: Path,
    env: Misbehaving,
    *,
    agent: Watched | None = None,
    callbacks: Sequence[LoopCallback] = (),
    window_size: int = 10,
    **settings: Any,
) -> RLOptimizer:
    """A run with windows of ten steps by default, two episodes each."""
    given: dict[str, Any] = {"max_episodes": 6, "seed": 0, **settings}
    return RLOptimizer(
        agent or Watched(),
        SimplePipeline(env, window_size=window_size),
        checkpoint_dir=directory,
        callbacks=callbacks,
        **given,
    )


def run_in(directory: Path, env: Misbehaving, **settings: Any) -> RunReport:
    """Run it to its end."""
    return optimizer_of(directory, env, **settings).run()


def events_in(directory: Path, name: str) -> list[dict[str, Any]]:
    """The journal's events of this name."""
    lines = (directory / "events.jsonl").read_text(encoding="utf-8").splitlines()
    events: list[dict[str, Any]] = [json.loads(line) for line in lines]
    return [event for event in events if event["event"] == name]
