"""Whole episodes on fixed seeds, for validation."""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, final

from gymnasium import Env
from gymnasium.vector import VectorEnv

from optix_core.base_agent import BaseAgent
from optix_core.environment_pipeline import (
    EnvironmentPipeline,
    Players,
    checked_seed,
    draw_seeds,
    positive_int,
)
from optix_core.episode_data import EpisodeData
from optix_core.errors import ConfigurationError
from optix_core.scalar_collector import ScalarCollector
from optix_pipelines.vector_collector import WORKER_TIMEOUT_S, VectorCollector

logger = logging.getLogger(__name__)


@final
class EpisodePipeline(EnvironmentPipeline):
    """Each window is the same n whole episodes: same seeds, same starts; scores compare in pairs.

    The agent plays greedily where it can (`ActsGreedily`, and `ActsGreedilyInBatch` in a vector
    environment); otherwise as in training, with its state put back afterwards (`HasState`).

    The window of one environment holds the episodes one after the other, [T, ...]. With a vector
    environment of N environments they are played N at a time: [T, N, ...], where each batch of
    episodes follows the one before in time, and rows of an environment that has ended its episode
    of the batch (or has none) are not valid. A batch starts from one reset on one seed, by the
    environment's own convention, so its episodes are not those that one environment would play.
    `episode_returns` has exactly n entries either way. It also `PlaysEpisodes` on other seeds.

    Args of the constructor:
        env: a `gymnasium.Env` or `gymnasium.vector.VectorEnv`. The pipeline closes it at
            `teardown`.
        agent: who plays; may be set later.
        n_episodes: episodes a window.
        max_steps: an episode that has not ended by then is cut off, as truncated; the window's
            `metadata["episodes_cut_off"]` counts these, and the first one is logged.
        worker_timeout_s: how long the workers of a `gymnasium.vector.AsyncVectorEnv` may take for
            a step or a reset before they are killed; None for ever. A worker that dies ends the
            pipeline with a `PipelineError`, one that is late with a `StreamTimeoutError`.
        clock: what stamps windows.

    Raises:
        ConfigurationError: if env lacks a method, a vector environment does not say when it
            resets, or a number is below 1.
    """

    def __init__(
        self,
        env: Env[Any, Any] | VectorEnv[Any, Any, Any],
        agent: BaseAgent | None = None,
        n_episodes: int = 10,
        *,
        max_steps: int = 100_000,
        worker_timeout_s: float | None = WORKER_TIMEOUT_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        collector = (
            VectorCollector(env, clock, worker_timeout_s=worker_timeout_s, is_resumable=False)
            if isinstance(env, VectorEnv)
            else ScalarCollector(env, clock)
        )
        super().__init__(collector, agent)
        self._n_episodes = positive_int("n_episodes", n_episodes)
        self._max_steps = positive_int("max_steps", max_steps)
        self._has_warned = False
        self.validate_on(0)

    def validate_on(self, seed: int) -> None:
        """Draw the list of the episodes' seeds from this one; the list of seed 0 is the default."""
        self._seeds = draw_seeds(checked_seed(seed), self._n_episodes)

    def play_episodes(self, seeds: Sequence[int]) -> EpisodeData:
        """Play one whole episode a seed, in the same way, beside the pipeline's own windows.

        A vector environment of N environments takes the first ⌈n/N⌉ of the n seeds, one a batch.

        Raises:
            ConfigurationError: if there is no seed, or one is negative.
            PipelineError: if there is no agent, or after `teardown`.
        """
        if not seeds:
            raise ConfigurationError("seeds must hold at least one seed, got none")
        checked = [checked_seed(seed) for seed in seeds]
        return self._play_on(checked, self._seated(), self._window_id)

    def _collector_state(self) -> None:
        return None

    def _play(self, players: Players, window_id: int) -> EpisodeData:
        return self._play_on(self._seeds, players, window_id)

    def _play_on(self, seeds: Sequence[int], players: Players, window_id: int) -> EpisodeData:
        player = players.held_out
        with player.untraced():
            window = self._collector.collect_episodes(
                player, seeds, max_steps=self._max_steps, window_id=window_id
            )
        cut_off = window.metadata["episodes_cut_off"]
        if cut_off and not self._has_warned:
            self._has_warned = True
            logger.warning(
                "%d of %d episodes did not end within %d steps and were cut off; give the "
                "environment a time limit, or another max_steps",
                cut_off,
                len(seeds),
                self._max_steps,
            )
        return window
