"""Windows from a Gymnasium environment, or from many that step together."""

import time
from collections.abc import Callable
from typing import Any, final

from gymnasium import Env
from gymnasium.vector import VectorEnv

from optix_core.base_agent import BaseAgent
from optix_core.environment_pipeline import WindowPipeline
from optix_core.scalar_collector import ScalarCollector
from optix_pipelines.vector_collector import WORKER_TIMEOUT_S, VectorCollector


@final
class BatchPipeline(WindowPipeline):
    """Collects windows of `window_size` steps; episodes go on across windows.

    With a vector environment of N environments a window has `window_size` steps of each of them:
    arrays are [T, N, ...], and an agent that `ActsInBatch` chooses all actions in one call. All
    three autoreset modes give the same rows, but that NEXT_STEP spends one on each reset, which
    `valid` marks.

    Actions go to `env.step` as `act` returned them. Observations and actions that are no arrays
    of numbers (Dict and Tuple spaces, text) are stored as arrays of objects, one a row.

    Args of the constructor:
        env: a `gymnasium.Env` or `gymnasium.vector.VectorEnv`; anything else with `reset` and
            `step` is played as one environment. The pipeline closes it at `teardown`.
        agent: who plays; may be set later.
        window_size: steps a window, of each environment.
        worker_timeout_s: how long the workers of a `gymnasium.vector.AsyncVectorEnv` may take for
            a step or a reset before they are killed; None for ever. A worker that dies ends the
            pipeline with a `PipelineError`, one that is late with a `StreamTimeoutError`.
        clock: what stamps windows.

    Raises:
        ConfigurationError: if env lacks a method, a vector environment does not say when it
            resets, or window_size is below 1.
    """

    def __init__(
        self,
        env: Env[Any, Any] | VectorEnv[Any, Any, Any],
        agent: BaseAgent | None = None,
        window_size: int = 200,
        *,
        worker_timeout_s: float | None = WORKER_TIMEOUT_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        collector = (
            VectorCollector(env, clock, worker_timeout_s=worker_timeout_s)
            if isinstance(env, VectorEnv)
            else ScalarCollector(env, clock)
        )
        super().__init__(collector, agent, window_size=window_size)
