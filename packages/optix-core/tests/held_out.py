"""A validation pipeline by script that can also play fresh episodes."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from optix_core import BaseAgent, BasePipeline, EpisodeData
from optix_core.testing import ScriptedPipeline


class HeldOutScript(BasePipeline):
    """Windows as `ScriptedPipeline`; fresh episodes by a function of agent and seeds."""

    def __init__(
        self,
        script: Iterable[Sequence[float]] | Callable[[BaseAgent, int], Sequence[float] | None],
        fresh: Callable[[Any, Sequence[int]], Sequence[float]],
    ) -> None:
        self.windows = ScriptedPipeline(script)
        self.fresh = fresh
        self.played: list[list[int]] = []

    def setup(self) -> None:
        self.windows.setup()

    def teardown(self) -> None:
        self.windows.teardown()

    def set_agent(self, agent: BaseAgent) -> None:
        self.windows.set_agent(agent)

    def episodes(self) -> Iterator[EpisodeData]:
        return self.windows.episodes()

    def play_episodes(self, seeds: Sequence[int]) -> EpisodeData:
        self.played.append(list(seeds))
        returns = self.fresh(self.windows.agents[-1], seeds)
        return next(ScriptedPipeline([returns], self.windows.agents[-1]).episodes())
