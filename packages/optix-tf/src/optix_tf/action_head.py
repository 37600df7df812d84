"""The contract of an action head: what a network's outputs mean as actions."""

from abc import ABC, abstractmethod
from collections.abc import Hashable
from typing import Any

import numpy as np
from numpy.typing import NDArray


class ActionHead(ABC):
    """Makes actions of one kind of a network's first output [B, P], in NumPy."""

    @property
    @abstractmethod
    def n_outputs(self) -> int | None:
        """P, the width of the output; None where the network decides."""

    @property
    @abstractmethod
    def structure(self) -> Hashable:
        """Equal for heads of one class that differ in what they learned alone."""

    @property
    def acts_by_outputs_alone(self) -> bool:
        """Whether heads of equal structure make the same of the same outputs."""
        return True

    def mark_stale(self) -> None:
        """Hear that variables may have changed."""

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
