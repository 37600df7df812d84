"""Asks a policy about the same observations before and after it learned."""

from collections.abc import Mapping, Sequence
from typing import Any, cast, final

import numpy as np
from numpy.typing import NDArray

from optix_core.abilities import ActsInBatch, HasActionDistribution, HasState, supports
from optix_core.action_columns import ActionColumns, columns_of
from optix_core.base_agent import BaseAgent
from optix_core.policy_change import (
    PolicyChange,
    change_of_coupled_actions,
    change_of_distributions,
    change_of_independent_actions,
    differs,
    fits,
)
from optix_core.row_values import own

MAX_STATE_BYTES = 1 << 20
"""An agent with a larger state (a replay memory) is not copied at every window."""


class DistributionProbe:
    """Compares the distributions that `act` samples from; draws nothing."""

    def __init__(self, agent: HasActionDistribution, observations: NDArray[Any]) -> None:
        """Ask the policy before it learns."""
        self._agent = agent
        self._observations = observations
        self._before: Any = own(agent.action_distribution(observations))
        self.is_stochastic = False

    def change(self) -> PolicyChange | None:
        """Ask the policy again, after it learned."""
        return change_of_distributions(
            self._before, self._agent.action_distribution(self._observations)
        )


@final
class ActingProbe:
    """Compares actions: drawn with the same random numbers where the agent's state can be put back.

    Leaves no trace in an agent with `HasState`. Another one's generator goes on, by four draws an
    observation, the same in each run of one seed.
    """

    def __init__(
        self,
        agent: BaseAgent,
        observations: NDArray[Any],
        *,
        start: Mapping[str, Any] | None,
        is_stochastic: bool,
    ) -> None:
        """Let the policy act before it learns; `start` is the agent's state, None without any."""
        self._agent = agent
        self._observations = observations
        self._keeper = agent if supports(agent, HasState) else None
        self._start: Any = own(start)
        self._old = [self._draw(), self._draw()]
        if self._keeper is not None:
            self._keeper.load_state_dict(self._start)
        first, second = self._old
        self.is_stochastic = is_stochastic or (
            first is not None and second is not None and differs(first, second)
        )

    def change(self) -> PolicyChange | None:
        """Let the policy act again, after it learned."""
        first, second = self._old
        if first is None or second is None:
            return None
        if self._keeper is None:
            return self._change_by_chance(first, second)
        end = own(self._keeper.state_dict())
        # Loading may keep what it is given, which acting would change: the start is used once.
        self._keeper.load_state_dict(self._start)
        new = self._draw()
        self._keeper.load_state_dict(end)
        if new is None or not fits(first, new):
            return None
        return change_of_coupled_actions(first, second, new, is_stochastic=self.is_stochastic)

    def _change_by_chance(self, first: ActionColumns, second: ActionColumns) -> PolicyChange | None:
        third, fourth = self._draw(), self._draw()
        if third is None or fourth is None or not fits(first, third):
            return None
        return change_of_independent_actions((first, second), (third, fourth))

    def _draw(self) -> ActionColumns | None:
        if supports(self._agent, ActsInBatch):
            return columns_of(own(self._agent.act_batch(self._observations)))
        return columns_of([own(self._agent.act(row)) for row in self._observations])


Probe = DistributionProbe | ActingProbe


def answers_at_once(agent: BaseAgent) -> bool:
    """Whether one call answers for all observations."""
    return supports(agent, HasActionDistribution) or supports(agent, ActsInBatch)


def open_probe(
    agent: BaseAgent, observations: NDArray[Any], *, is_stochastic: bool
) -> Probe | None:
    """Ask a policy that is about to learn, by the surest means that it offers.

    Args:
        agent: whose policy.
        observations: what to ask about, [B, ...], B ≥ 1.
        is_stochastic: whether the policy is known to draw its actions.

    Returns:
        None where the agent would have to act and its state is too large to be put back.
    """
    if supports(agent, HasActionDistribution):
        return DistributionProbe(agent, observations)
    start = _state_of(agent)
    if _size(start) > MAX_STATE_BYTES:
        return None
    return ActingProbe(agent, observations, start=start, is_stochastic=is_stochastic)


def _state_of(agent: BaseAgent) -> dict[str, Any] | None:
    return agent.state_dict() if supports(agent, HasState) else None


def _size(value: object) -> int:
    if isinstance(value, np.ndarray):
        return value.nbytes
    if isinstance(value, Mapping):
        return sum(map(_size, cast("Mapping[Any, Any]", value).values()))
    if isinstance(value, list | tuple):
        return sum(map(_size, cast("Sequence[Any]", value)))
    return 0
