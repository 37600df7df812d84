"""The contract of a pipeline: where windows of experience come from."""

from abc import ABC, abstractmethod
from collections.abc import Iterator

from optix_core.base_agent import BaseAgent
from optix_core.episode_data import EpisodeData


class BasePipeline(ABC):
    """A source of windows that an agent plays.

    Order of calls: `set_agent`, `setup`, `episodes` (once or more), `teardown`. A window is played
    when it is asked for, so that it is the work of the policy in force at that moment.
    """

    @abstractmethod
    def setup(self) -> None:
        """Get ready to collect. May be called again after `teardown`."""

    @abstractmethod
    def episodes(self) -> Iterator[EpisodeData]:
        """Yield windows, endlessly unless the source ends; episodes go on across windows."""

    @abstractmethod
    def set_agent(self, agent: BaseAgent) -> None:
        """Let this agent play from the next window on."""

    @abstractmethod
    def teardown(self) -> None:
        """Close what was opened. Safe to call twice, and after an error."""

    @property
    def is_live(self) -> bool:
        """Whether time goes on outside: the source cannot be reset or replayed."""
        return False
