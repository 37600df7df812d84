"""The contract of a policy head: what a network's policy output means as a distribution."""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optix_tf._tensorflow import Tensor


class PolicyHead(ABC):
    """A distribution over one kind of action, made of a network's policy output [B, P].

    Acting is NumPy, learning is TensorFlow; both follow one formula. Encoded actions are what the
    likelihood is computed from; they are made of the actions that the environment received.
    """

    @property
    @abstractmethod
    def n_outputs(self) -> int | None:
        """P, the width of the policy output; None where the network decides."""

    @property
    @abstractmethod
    def structure(self) -> Hashable:
        """Equal for heads of one class that differ in their variables alone."""

    @property
    def variables(self) -> Mapping[str, Any]:
        """Trainable variables of the head itself, by name."""
        return {}

    def mark_stale(self) -> None:
        """Hear that the variables may have changed."""

    def sample_one(self, outputs: NDArray[Any], rng: np.random.Generator) -> Any:
        """Draw an action for one output [P]; the same draw as `sample` makes."""
        return self.sample(outputs[np.newaxis], rng)[0]

    @abstractmethod
    def sample(self, outputs: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
        """Draw actions [B, ...] for outputs [B, P]."""

    @abstractmethod
    def greedy(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """Return the actions [B, ...] held best: the mode, or the mean where it is Gaussian."""

    def greedy_one(self, outputs: NDArray[Any]) -> Any:
        """Return the action held best for one output [P]."""
        return self.greedy(outputs[np.newaxis])[0]

    @abstractmethod
    def distribution(self, outputs: NDArray[Any]) -> Any:
        """Return probabilities [B, K], or (mean, std), each [B, A]."""

    @abstractmethod
    def encode(self, actions: NDArray[Any]) -> NDArray[Any]:
        """Encode actions [R, ...] as [R, k], float32 or int32."""

    @abstractmethod
    def log_probability(self, outputs: Tensor, encoded: Tensor) -> Tensor:
        """Log-likelihood [R] of encoded actions [R, k] under outputs [R, P]."""

    @abstractmethod
    def entropy(self, outputs: Tensor) -> Tensor:
        """Entropy [R] of the distributions."""

    @abstractmethod
    def divergence(self, old: Tensor, new: Tensor) -> Tensor:
        """KL divergence [R] of the distributions of `new` outputs from those of `old` ones.

        For `old`, a head with variables stands as it was at `remember`.
        """

    def remember(self) -> None:
        """Note the head's variables for `divergence`, inside a compiled function."""
