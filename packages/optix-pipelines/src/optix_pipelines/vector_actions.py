"""Actions of many environments: asked of the agent, batched for the environment, kept by row."""

from collections.abc import Iterable, Sequence
from typing import Any, cast, final

import numpy as np
from gymnasium import spaces
from gymnasium.vector import VectorEnv
from gymnasium.vector.utils import concatenate, create_empty_array, iterate
from numpy.typing import NDArray

from optix_core.episode_data import BoolArray
from optix_core.player import Player
from optix_core.row_values import object_rows, own, stack_rows

_ARRAY_SPACES = (spaces.Box, spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary)


@final
class VectorActions:
    """Asks an agent for the actions of all environments at once, or of one after the other."""

    def __init__(self, env: VectorEnv[Any, Any, Any]) -> None:
        spaces_of: Any = env  # Gymnasium leaves the spaces' parameter open
        self._observation_space: Any = spaces_of.observation_space
        self._action_space: Any = spaces_of.action_space
        self._single_action_space: Any = spaces_of.single_action_space
        self.last: list[Any] | None = None
        """The actions before, where the agent acts on one observation at a time."""

    def choose(self, player: Player, observations: Any, idle: BoolArray) -> Any:
        """Return actions in the form that the environment's `step` takes.

        What `act_batch` returns goes there untouched. An agent that acts on one observation at a
        time is not asked for an idle environment, one whose action has no effect: the action
        before stands in.
        """
        if player.act_batch is not None and is_plain_array(observations):
            return player.act_batch(observations)
        act, last = player.act, self.last
        singles = enumerate(_singles(self._observation_space, observations))
        if last is None:
            self.last = [act(observation) for _, observation in singles]
        else:
            self.last = [
                last[env] if idle[env] else act(observation) for env, observation in singles
            ]
        return self._batch(self.last)

    def rows_of_actions(self, actions: Any) -> NDArray[Any]:
        """Return actions as [N, ...], of objects where they cannot be stacked."""
        if is_plain_array(actions):
            return actions
        return stack_rows([own(action) for action in _singles(self._action_space, actions)])

    def rows_of_observations(self, observations: Any) -> NDArray[Any]:
        """Return observations as [N, ...], of objects where they are no array."""
        if is_plain_array(observations):
            return observations
        singles = _singles(self._observation_space, observations)
        return object_rows([own(observation) for observation in singles])

    def _batch(self, actions: Sequence[Any]) -> Any:
        if isinstance(self._single_action_space, _ARRAY_SPACES):
            return np.array(actions)
        empty: Any = create_empty_array(self._single_action_space, len(actions))
        return concatenate(self._single_action_space, actions, empty)


def is_plain_array(value: Any) -> bool:
    """Whether a batch is one array of numbers."""
    return isinstance(value, np.ndarray) and not cast("NDArray[Any]", value).dtype.hasobject


def _singles(space: spaces.Space[Any], batch: Any) -> Iterable[Any]:
    return batch if is_plain_array(batch) else iterate(space, batch)
