"""The contract of a policy head: an action head whose distribution a policy gradient needs."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from optix_tf._tensorflow import Tensor
from optix_tf.action_head import ActionHead


class PolicyHead(ActionHead):
    """A distribution over one kind of action, made of a network's policy output [B, P].

    Acting is NumPy, learning is TensorFlow; both follow one formula. Encoded actions are what the
    likelihood is computed from; they are made of the actions that the environment received.
    """

    @property
    def variables(self) -> Mapping[str, Any]:
        """Trainable variables of the head itself, by name."""
        return {}

    @property
    def acts_by_outputs_alone(self) -> bool:
        return not self.variables

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
