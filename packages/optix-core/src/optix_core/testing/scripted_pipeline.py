"""A pipeline that plays a script: the returns of each window's episodes are given."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import final

import numpy as np

from optix_core.base_agent import BaseAgent
from optix_core.base_pipeline import BasePipeline
from optix_core.episode_data import EpisodeData
from optix_core.errors import PipelineError

Script = Iterable[Sequence[float]] | Callable[[BaseAgent, int], Sequence[float] | None]
"""The episode returns of each window; or a function of the agent and the window's number, None
where the source ends."""


@final
class ScriptedPipeline(BasePipeline):
    """Yields one window an entry of the script, one row an episode; ends where the script ends.

    A row's observation is [window number, row], its reward the episode's return, its action what
    the agent's `act` says. An empty entry gives a window of one row with reward 0 that ends no
    episode. A second `episodes()` goes on where the first was left.

    Args of the constructor:
        script: returns by window, or a function of (agent, window number).
        agent: who plays; may be set later.
        raise_at: number of the window, from 0, at which collecting raises.
        error: what it raises then; default `PipelineError`.
        is_live: what the property of that name says.
    """

    def __init__(
        self,
        script: Script,
        agent: BaseAgent | None = None,
        *,
        raise_at: int | None = None,
        error: BaseException | None = None,
        is_live: bool = False,
    ) -> None:
        self.calls: Counter[str] = Counter()
        """Number of calls by method name."""
        self.seeds: list[int] = []
        """What `seed` was called with."""
        self.agents: list[BaseAgent] = [] if agent is None else [agent]
        """Every agent that was set; the last one plays."""
        self._entries = None if callable(script) else iter(script)
        self._script = script if callable(script) else None
        self._raise_at = raise_at
        self._error = PipelineError("the script says so") if error is None else error
        self._is_live = is_live
        self._window_id = 0

    @property
    def is_live(self) -> bool:
        return self._is_live

    def setup(self) -> None:
        self.calls["setup"] += 1

    def teardown(self) -> None:
        self.calls["teardown"] += 1

    def set_agent(self, agent: BaseAgent) -> None:
        self.agents.append(agent)

    def seed(self, seed: int) -> None:
        """Take note of the seed; the script stays the same."""
        self.seeds.append(seed)

    def episodes(self) -> Iterator[EpisodeData]:
        if not self.agents:
            raise PipelineError("no agent plays; call set_agent before episodes()")
        while True:
            if self._window_id == self._raise_at:
                raise self._error
            returns = self._next_returns()
            if returns is None:
                return
            window = self._play(returns)
            self._window_id += 1
            yield window

    def _next_returns(self) -> Sequence[float] | None:
        if self._script is not None:
            return self._script(self.agents[-1], self._window_id)
        return None if self._entries is None else next(self._entries, None)

    def _play(self, returns: Sequence[float]) -> EpisodeData:
        rewards = np.array(returns if len(returns) else [0.0], dtype=np.float64)
        rows = np.arange(len(rewards), dtype=np.float64)
        observations = np.column_stack([np.full_like(rows, self._window_id), rows])
        act = self.agents[-1].act
        return EpisodeData(
            observations=observations,
            actions=np.array([act(observation) for observation in observations]),
            rewards=rewards,
            terminated=np.full(len(rewards), bool(len(returns))),
            truncated=np.zeros(len(rewards), dtype=np.bool_),
            next_observations=observations + np.array([0.0, 1.0]),
            infos=[{} for _ in rewards],
            episode_id=self._window_id,
        )
