"""Short runs of the loop on scripted scores, for the fault tests beside this file."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from optix_core import BaseEvaluator, EpisodeData, EvalMetrics, LoopCallback, RLOptimizer
from optix_core.testing import ScriptedPipeline

from .registry_scene import WeightAgent

NO_NUMBER = -1e300
"""A reward that makes the score NaN: a window whose reward is NaN itself is not scored at all."""


class FirstReward(BaseEvaluator):
    """The first reward of a window is its score; NaN where it is `NO_NUMBER`."""

    def score(self, episode_data: EpisodeData, train_diagnostics: dict[str, Any]) -> EvalMetrics:
        reward = float(episode_data.rewards[0])
        score = math.nan if reward == NO_NUMBER else reward
        return EvalMetrics(score, {}, episode_data.episode_id)


class CountingAgent(WeightAgent):
    """Its weight counts the windows it learned from."""

    def learn(self, episode_data: EpisodeData) -> dict[str, Any]:
        self.weight += 1.0
        return {}


def optimizer(
    directory: str | Path,
    scores: Sequence[float],
    callbacks: Sequence[LoopCallback] = (),
    agent: WeightAgent | None = None,
) -> RLOptimizer:
    """A run whose windows have these scores, one episode each."""
    return RLOptimizer(
        CountingAgent() if agent is None else agent,
        ScriptedPipeline([[NO_NUMBER if math.isnan(score) else score] for score in scores]),
        evaluator=FirstReward(),
        checkpoint_dir=directory,
        callbacks=callbacks,
        seed=0,
    )


def make_agent() -> CountingAgent:
    """For `optix train --agent`: acts at random, and its weight counts the windows."""
    return CountingAgent()
