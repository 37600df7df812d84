"""Agents whose actions an action head makes of the network's output."""

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from numpy.typing import NDArray

from optix_tf.action_head import ActionHead
from optix_tf.encoded_agent import EncodedAgent
from optix_tf.stack import KerasStack, StackParts, stack_agents
from optix_tf.tf_agent import TFAgent

HeadT = TypeVar("HeadT", bound=ActionHead)


class HeadAgent(EncodedAgent, Generic[HeadT]):
    """Plays observation → inputs → network → head → action; agents of one structure stack."""

    _head: HeadT
    """Set by a subclass before this is constructed, since the head may have weights too."""

    def refresh(self) -> None:
        super().refresh()
        self._head.mark_stale()

    def stack(self, members: Sequence[TFAgent]) -> KerasStack:
        return stack_agents(members)

    def stack_parts(self) -> StackParts:
        return StackParts(
            inputs=self._inputs, network=self._network, head=self._head, generator=lambda: self._rng
        )

    def act(self, observation: Any) -> Any:
        """Draw an action for one observation."""
        return self._head.sample_one(self._network.one(self._inputs.one(observation)), self._rng)

    def act_batch(self, observations: NDArray[Any]) -> Any:
        """Draw actions [B, ...] for observations [B, ...]; the same draws as `act` one by one."""
        return self._head.sample(self._outputs(observations), self._rng)

    def act_greedy(self, observation: Any) -> Any:
        """Return the action held best; takes nothing from the generator."""
        return self._head.greedy_one(self._network.one(self._inputs.one(observation)))

    def act_greedy_batch(self, observations: NDArray[Any]) -> Any:
        """Return the actions [B, ...] held best."""
        return self._head.greedy(self._outputs(observations))

    def action_distribution(self, observations: NDArray[Any]) -> Any:
        """Probabilities [B, K], or (mean, std) in the environment's units before its bounds."""
        return self._head.distribution(self._outputs(observations))
