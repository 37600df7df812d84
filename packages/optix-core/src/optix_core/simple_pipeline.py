"""Windows from any object with `reset` and `step`."""

import time
from collections.abc import Callable
from typing import final

from optix_core.base_agent import BaseAgent
from optix_core.environment import Environment
from optix_core.environment_pipeline import WindowPipeline
from optix_core.scalar_collector import ScalarCollector


@final
class SimplePipeline(WindowPipeline):
    """Collects windows of `window_size` steps from one environment, without Gymnasium.

    Args of the constructor:
        env: has `reset() -> (observation, info)` and `step(action) -> (observation, reward,
            terminated, truncated, info)`. `reset` is called with `seed=` where it takes one,
            `close` at the end where there is one.
        agent: who plays; may be set later.
        window_size: steps a window.
        clock: what stamps windows.

    Raises:
        ConfigurationError: if env lacks a method or window_size is below 1.
    """

    def __init__(
        self,
        env: Environment,
        agent: BaseAgent | None = None,
        window_size: int = 200,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(ScalarCollector(env, clock), agent, window_size=window_size)
