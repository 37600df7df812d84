"""How an agent plays a window: exploring, or held out and without leaving a trace in it."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self, final

from numpy.typing import NDArray

from optix_core.abilities import (
    ActsGreedily,
    ActsGreedilyInBatch,
    ActsInBatch,
    HasState,
    supports,
)
from optix_core.base_agent import BaseAgent
from optix_core.row_values import own


@final
@dataclass(frozen=True, slots=True)
class Player:
    """The methods of an agent that a collector calls, looked up once."""

    act: Callable[[Any], Any]
    """Action for one observation."""
    act_batch: Callable[[NDArray[Any]], Any] | None
    """Actions [B, ...] for observations [B, ...], None where the agent acts on one at a time."""
    keeper: HasState | None = None
    """Whose state is put back after playing, None where nothing has to be."""

    @classmethod
    def exploring(cls, agent: BaseAgent) -> Self:
        """Play as the agent does in training."""
        return cls(agent.act, agent.act_batch if supports(agent, ActsInBatch) else None)

    @classmethod
    def held_out(cls, agent: BaseAgent) -> Self:
        """Play greedily where the agent can.

        One that cannot plays as in training; its state is put back where it has one (`HasState`).
        Where it has neither ability, what `act` changes in it stays changed.
        """
        if supports(agent, ActsGreedily):
            in_batch = supports(agent, ActsGreedilyInBatch)
            return cls(agent.act_greedy, agent.act_greedy_batch if in_batch else None)
        playing = cls.exploring(agent)
        return cls(playing.act, playing.act_batch, agent if supports(agent, HasState) else None)

    @contextmanager
    def untraced(self) -> Generator[None]:
        """Put the agent's state back on leaving, whatever happened inside."""
        if self.keeper is None:
            yield
            return
        # A state may hold the agent's own arrays, which playing would change under our hands.
        state = own(self.keeper.state_dict())
        try:
            yield
        finally:
            self.keeper.load_state_dict(state)
