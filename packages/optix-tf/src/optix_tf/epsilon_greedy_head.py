"""Actions by their values: mostly the best one, sometimes any."""

from collections.abc import Hashable
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from optix_core.episode_data import FloatArray
from optix_core.errors import ConfigurationError, ContractViolationError
from optix_tf.action_head import ActionHead
from optix_tf.window_rows import discrete_actions


@final
class EpsilonGreedyHead(ActionHead):
    """With probability ε any of the K actions, otherwise the one of the largest value."""

    def __init__(self, n_actions: int | None = None, start: int = 0) -> None:
        """Choose among start … start + K − 1; None for as many as the network has outputs."""
        if n_actions is not None and n_actions < 1:
            raise ConfigurationError(f"there must be at least one action, got {n_actions}")
        self._n_actions = n_actions
        self._start = start
        self.epsilon = 1.0
        """Probability of a random action."""

    @property
    def n_outputs(self) -> int | None:
        return self._n_actions

    @property
    def structure(self) -> Hashable:
        return self._n_actions, self._start

    @property
    def acts_by_outputs_alone(self) -> bool:
        return False

    def sample_one(self, outputs: NDArray[Any], rng: np.random.Generator) -> Any:
        chance, which = rng.random(), rng.random()
        best = int(which * len(outputs)) if chance < self.epsilon else int(outputs.argmax())
        return best + self._start

    def sample(self, outputs: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
        drawn: FloatArray = rng.random((len(outputs), 2))
        chance, which = drawn[:, 0], drawn[:, 1]
        anything = (which * outputs.shape[-1]).astype(np.int64)
        best: NDArray[np.int64] = outputs.argmax(axis=-1)
        return np.where(chance < self.epsilon, anything, best) + self._start

    def greedy_one(self, outputs: NDArray[Any]) -> Any:
        return int(outputs.argmax()) + self._start

    def greedy(self, outputs: NDArray[Any]) -> NDArray[Any]:
        return outputs.argmax(axis=-1) + self._start

    def distribution(self, outputs: NDArray[Any]) -> Any:
        """Return ε / K for each action, and 1 − ε more for the best; [B, K]."""
        probabilities = np.full(outputs.shape, self.epsilon / outputs.shape[-1])
        best = outputs.argmax(axis=-1)
        probabilities[np.arange(len(best)), best] += 1.0 - self.epsilon
        return probabilities

    def encode(self, actions: NDArray[Any]) -> NDArray[np.int32]:
        """Turn actions [R] into indices 0 … K − 1.

        Raises:
            ContractViolationError: if one is no action of the space.
        """
        indices = discrete_actions(actions) - self._start
        limit = self._n_actions or np.iinfo(np.int32).max
        if indices.size and not (indices.min() >= 0 and indices.max() < limit):
            raise ContractViolationError(
                f"actions must lie between {self._start} and {self._start + limit - 1}, got "
                f"{actions.min()} to {actions.max()}; check the action space"
            )
        return indices
