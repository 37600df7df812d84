"""Pipelines over environments: what they have in common, whatever is played and however long."""

import operator
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from optix_core.base_agent import BaseAgent
from optix_core.base_pipeline import BasePipeline
from optix_core.episode_data import EpisodeData
from optix_core.errors import ConfigurationError, ContractViolationError, PipelineError
from optix_core.player import Player
from optix_core.scalar_collector import Collector

N_VALIDATION_SEEDS = 10
"""Length of the list of seeds that validation windows go round."""


class Players(NamedTuple):
    """The two ways in which one agent plays."""

    exploring: Player
    held_out: Player


class EnvironmentPipeline(BasePipeline):
    """Holds the agent that plays and the environment; subclasses say what a window is.

    The pipeline owns its environment: `teardown` closes it, once. A `setup` after that begins
    anew, with a reset, if the environment can.
    """

    @abstractmethod
    def __init__(self, collector: Collector, agent: BaseAgent | None) -> None:
        self._collector = collector
        self._players: Players | None = None
        self._is_open = True
        self._window_id = 0
        if agent is not None:
            self.set_agent(agent)

    @abstractmethod
    def _play(self, players: Players, window_id: int) -> EpisodeData:
        """Let the agent play one window, in one way or the other."""

    def setup(self) -> None:
        self._is_open = True

    def set_agent(self, agent: BaseAgent) -> None:
        if not isinstance(agent, BaseAgent):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ContractViolationError(
                f"agent must derive from BaseAgent, got {type(agent).__name__}"
            )
        self._players = Players(Player.exploring(agent), Player.held_out(agent))

    def episodes(self) -> Iterator[EpisodeData]:
        """Yield windows endlessly; a second iterator goes on where the first was left.

        Raises:
            PipelineError: if there is no agent, or after `teardown`.
        """
        self._seated()
        return iter(self._next_window, None)

    @property
    def losses(self) -> Sequence[str]:
        """What `load_state_dict` could not put back."""
        return self._collector.losses

    def state_dict(self) -> dict[str, Any]:
        """Return which window comes next and where the episode in progress stands."""
        return {"window_id": self._window_id, "collector": self._collector_state()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put back what `state_dict` returned, as far as the environment can be; see `losses`."""
        self._window_id = state["window_id"]
        if state["collector"] is not None:
            self._collector.load_state_dict(state["collector"])

    def _collector_state(self) -> dict[str, Any] | None:
        """The state of the collector; None where each window begins with a reset of its own."""
        return self._collector.state_dict()

    def teardown(self) -> None:
        if self._is_open:
            self._is_open = False
            self._collector.close()

    def _next_window(self) -> EpisodeData | None:
        window = self._play(self._seated(), self._window_id)
        self._window_id += 1
        return window

    def _seated(self) -> Players:
        if not self._is_open:
            raise PipelineError("the pipeline is closed; call setup() before collecting")
        if self._players is None:
            raise PipelineError(
                "no agent plays this pipeline; pass agent=, or call set_agent before episodes()"
            )
        return self._players


class WindowPipeline(EnvironmentPipeline):
    """A pipeline whose windows have a fixed number of steps, with episodes that go on across them.

    It is `Seedable` and, for held-out windows, `ValidatesOnSeeds`.
    """

    @abstractmethod
    def __init__(self, collector: Collector, agent: BaseAgent | None, *, window_size: int) -> None:
        super().__init__(collector, agent)
        self._window_size = positive_int("window_size", window_size)
        self._validation_seeds: list[int] | None = None
        self._n_validated = 0

    def seed(self, seed: int) -> None:
        """Drop the episode in progress; the next window starts with a reset on this seed."""
        self._collector.restart(checked_seed(seed))

    def validate_on(self, seed: int) -> None:
        """Play held-out windows from here on, each from a reset on the next seed of a fixed list.

        The list has 10 seeds, all drawn from this one, and is gone round again and again. How the
        agent plays: `Player.held_out`.
        """
        self._validation_seeds = draw_seeds(checked_seed(seed), N_VALIDATION_SEEDS)
        self._n_validated = 0

    def state_dict(self) -> dict[str, Any]:
        """Return which window comes next and where the episode in progress stands."""
        return {**super().state_dict(), "n_validated": self._n_validated}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put back what `state_dict` returned, as far as the environment can be; see `losses`."""
        super().load_state_dict(state)
        self._n_validated = state["n_validated"]

    def _collector_state(self) -> dict[str, Any] | None:
        return None if self._validation_seeds is not None else super()._collector_state()

    def _play(self, players: Players, window_id: int) -> EpisodeData:
        seeds, size = self._validation_seeds, self._window_size
        if seeds is None:
            return self._collector.collect(players.exploring, size, window_id=window_id)
        self._collector.restart(seeds[self._n_validated % len(seeds)])
        self._n_validated += 1
        with players.held_out.untraced():
            return self._collector.collect(players.held_out, size, window_id=window_id)


def draw_seeds(seed: int, count: int) -> list[int]:
    """Draw seeds for environments; a longer list begins with the shorter one.

    Below 2**31, since some simulators take no more.
    """
    words = np.random.SeedSequence(seed).generate_state(count, np.uint32)
    return [int(word) >> 1 for word in words]


def checked_seed(seed: int) -> int:
    """Refuse a seed that is no whole number or negative."""
    return _whole("seed", seed, 0)


def positive_int(name: str, value: int) -> int:
    """Refuse a value that is no whole number or below 1."""
    return _whole(name, value, 1)


def _whole(name: str, value: int, least: int) -> int:
    try:
        number = operator.index(value)
    except TypeError as error:
        raise ConfigurationError(f"{name} must be a whole number, got {value!r}") from error
    if number < least:
        raise ConfigurationError(f"{name} must be at least {least}, got {value!r}")
    return number
