"""Plays a policy on fresh episodes, without exploration where the agent can do so."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optix_cli.environments import episode_pipeline
from optix_cli.intervals import MeanInterval, bootstrap_interval
from optix_core.abilities import ActsGreedily, supports
from optix_core.base_agent import BaseAgent
from optix_core.episode_data import EpisodeData
from optix_core.errors import PipelineError
from optix_core.seeds import SeedPlan
from optix_evolve import EnsembleAgent

TEST_STREAM = "test"
"""The stream of seeds that nothing but tests draws from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyTest:
    """What a policy earned."""

    interval: MeanInterval
    """Mean return with its 95 % interval."""
    seed: int
    """What the episodes were drawn from."""
    is_greedy: bool
    """Whether the agent acted without exploration; it needs `act_greedy` for that."""
    disagreement: float | None = None
    """Of an ensemble's members, `EnsembleAgent.disagreement`; None for a single policy."""

    def as_event(self) -> dict[str, float | int | bool | None]:
        """Return the outcome as fields of a journal event."""
        apart = {} if self.disagreement is None else {"disagreement": self.disagreement}
        return {
            "mean": self.interval.mean,
            "low": self.interval.low,
            "high": self.interval.high,
            "n_episodes": self.interval.n_episodes,
            "seed": self.seed,
            "greedy": self.is_greedy,
            **apart,
        }


def play_test(agent: BaseAgent, env_id: str, *, n_episodes: int, seed: int) -> PolicyTest:
    """Play `n_episodes` episodes of the test stream of `seed`; the same each time.

    Raises:
        PipelineError: if the environment gave no episodes.
    """
    plan = SeedPlan(seed)
    window = _play(agent, env_id, n_episodes=n_episodes, seed=plan.integer(TEST_STREAM))
    return PolicyTest(
        interval=bootstrap_interval(window.episode_returns, plan.generator(TEST_STREAM)),
        seed=seed,
        is_greedy=supports(agent, ActsGreedily),
        disagreement=agent.disagreement(window) if isinstance(agent, EnsembleAgent) else None,
    )


def play_validation(
    agent: BaseAgent, env_id: str, *, n_episodes: int, seed: int
) -> NDArray[np.float64]:
    """Return what a policy earns in the episodes that a run of `seed` validates on.

    Raises:
        PipelineError: if the environment gave no episodes.
    """
    seed = SeedPlan(seed).integer("validation")
    return _play(agent, env_id, n_episodes=n_episodes, seed=seed).episode_returns


def _play(agent: BaseAgent, env_id: str, *, n_episodes: int, seed: int) -> EpisodeData:
    pipeline = episode_pipeline(env_id, n_episodes)
    pipeline.set_agent(agent)
    pipeline.validate_on(seed)
    try:
        pipeline.setup()
        window = next(iter(pipeline.episodes()), None)
    finally:
        pipeline.teardown()
    if window is None:
        raise PipelineError(f"{env_id} ended before {n_episodes} episodes were played")
    return window
