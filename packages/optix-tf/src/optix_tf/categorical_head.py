"""Policies over integers: one category, several, or yes and no for each component."""

from collections.abc import Hashable
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from optix_core.episode_data import FloatArray
from optix_core.errors import ConfigurationError, ContractViolationError
from optix_tf._tensorflow import Tensor, tf
from optix_tf.policy_head import PolicyHead
from optix_tf.sampling import log_softmax, sample_index, sample_indices
from optix_tf.window_rows import discrete_actions


@final
class CategoricalHead(PolicyHead):
    """One of K actions with probabilities softmax(outputs); actions are start … start + K − 1."""

    def __init__(self, n_actions: int | None = None, start: int = 0) -> None:
        """Choose among this many actions; None for as many as the network has outputs."""
        if n_actions is not None and n_actions < 1:
            raise ConfigurationError(f"there must be at least one action, got {n_actions}")
        self._n_actions = n_actions
        self._start = start

    @property
    def n_outputs(self) -> int | None:
        return self._n_actions

    @property
    def structure(self) -> Hashable:
        return self._n_actions, self._start

    def sample_one(self, outputs: NDArray[Any], rng: np.random.Generator) -> Any:
        return sample_index(outputs, rng) + self._start

    def greedy_one(self, outputs: NDArray[Any]) -> Any:
        return int(outputs.argmax()) + self._start

    def sample(self, outputs: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
        return sample_indices(outputs, rng) + self._start

    def greedy(self, outputs: NDArray[Any]) -> NDArray[Any]:
        return outputs.argmax(axis=-1) + self._start

    def distribution(self, outputs: NDArray[Any]) -> Any:
        return np.exp(log_softmax(outputs))

    def encode(self, actions: NDArray[Any]) -> NDArray[Any]:
        indices = discrete_actions(actions)[:, np.newaxis] - self._start
        _check_range(indices, np.array([self._n_actions or np.iinfo(np.int32).max]))
        return indices

    def log_probability(self, outputs: Tensor, encoded: Tensor) -> Tensor:
        return _chosen(tf.nn.log_softmax(outputs), encoded[:, 0])

    def entropy(self, outputs: Tensor) -> Tensor:
        return _entropy(tf.nn.log_softmax(outputs))

    def divergence(self, old: Tensor, new: Tensor) -> Tensor:
        return _divergence(tf.nn.log_softmax(old), tf.nn.log_softmax(new))


@final
class MultiCategoricalHead(PolicyHead):
    """Several independent categories, their logits one behind the other."""

    def __init__(self, sizes: NDArray[Any]) -> None:
        """Choose one of `sizes[i]` values for each component; sizes has the action's shape."""
        self._sizes = np.asarray(sizes, np.int64)
        if self._sizes.size == 0 or (self._sizes < 1).any():
            raise ConfigurationError(f"every component needs a value, got sizes {sizes}")

    @property
    def n_outputs(self) -> int:
        return int(self._sizes.sum())

    @property
    def structure(self) -> Hashable:
        return self._sizes.shape, self._sizes.tobytes()

    def sample(self, outputs: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
        # Row by row, so that a batch draws what single calls would.
        drawn = [[sample_index(part, rng) for part in self._split(row)] for row in outputs]
        return np.array(drawn, np.int64).reshape(-1, *self._sizes.shape)

    def greedy(self, outputs: NDArray[Any]) -> NDArray[Any]:
        best = [part.argmax(axis=-1) for part in self._split(outputs)]
        return np.stack(best, axis=-1).reshape(-1, *self._sizes.shape)

    def distribution(self, outputs: NDArray[Any]) -> Any:
        """Return mean and standard deviation of each component's value, each [B, A].

        Probabilities [B, K] would be read as those of one choice.
        """
        moments = [_moments(np.exp(log_softmax(part))) for part in self._split(outputs)]
        means, deviations = zip(*moments, strict=True)
        return np.stack(means, axis=-1), np.stack(deviations, axis=-1)

    def encode(self, actions: NDArray[Any]) -> NDArray[Any]:
        indices = np.asarray(actions.tolist(), np.int32).reshape(-1, self._sizes.size)
        _check_range(indices, self._sizes.ravel())
        return indices

    def log_probability(self, outputs: Tensor, encoded: Tensor) -> Tensor:
        parts = self._log_softmax_parts(outputs)
        return tf.add_n([_chosen(part, encoded[:, i]) for i, part in enumerate(parts)])

    def entropy(self, outputs: Tensor) -> Tensor:
        return tf.add_n([_entropy(part) for part in self._log_softmax_parts(outputs)])

    def divergence(self, old: Tensor, new: Tensor) -> Tensor:
        pairs = zip(self._log_softmax_parts(old), self._log_softmax_parts(new), strict=True)
        return tf.add_n([_divergence(before, after) for before, after in pairs])

    def _split(self, outputs: NDArray[Any]) -> list[NDArray[Any]]:
        return np.split(outputs, np.cumsum(self._sizes.ravel())[:-1], axis=-1)

    def _log_softmax_parts(self, outputs: Tensor) -> list[Tensor]:
        parts: list[Tensor] = tf.split(outputs, self._sizes.ravel().tolist(), axis=-1)
        return [tf.nn.log_softmax(part) for part in parts]


@final
class BernoulliHead(PolicyHead):
    """Zeros and ones, each independently one with probability sigmoid(output)."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        """Fill actions of this shape."""
        self._shape = shape
        self._size = int(np.prod(shape))

    @property
    def n_outputs(self) -> int:
        return self._size

    @property
    def structure(self) -> Hashable:
        return self._shape

    def sample(self, outputs: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
        drawn = rng.random(outputs.shape) < _sigmoid(outputs)
        return drawn.astype(np.int8).reshape(-1, *self._shape)

    def greedy(self, outputs: NDArray[Any]) -> NDArray[Any]:
        return (outputs > 0).astype(np.int8).reshape(-1, *self._shape)

    def distribution(self, outputs: NDArray[Any]) -> Any:
        """Return mean, the probability of a one, and standard deviation, each [B, A]."""
        ones = _sigmoid(outputs)
        return ones, np.sqrt(ones * (1.0 - ones))

    def encode(self, actions: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(actions.tolist(), np.float32).reshape(-1, self._size)

    def log_probability(self, outputs: Tensor, encoded: Tensor) -> Tensor:
        loss = tf.nn.sigmoid_cross_entropy_with_logits(labels=encoded, logits=outputs)
        return -tf.reduce_sum(loss, axis=-1)

    def entropy(self, outputs: Tensor) -> Tensor:
        return self._cross_entropy(outputs, outputs)

    def divergence(self, old: Tensor, new: Tensor) -> Tensor:
        return self._cross_entropy(old, new) - self._cross_entropy(old, old)

    def _cross_entropy(self, under: Tensor, of: Tensor) -> Tensor:
        loss = tf.nn.sigmoid_cross_entropy_with_logits(labels=tf.sigmoid(under), logits=of)
        return tf.reduce_sum(loss, axis=-1)


def _sigmoid(outputs: NDArray[Any]) -> FloatArray:
    return 0.5 * (1.0 + np.tanh(0.5 * outputs.astype(np.float64)))


def _moments(probabilities: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation of 0 … K − 1 under probabilities [B, K]."""
    values: FloatArray = np.arange(probabilities.shape[-1], dtype=np.float64)
    mean: FloatArray = probabilities @ values
    variance: FloatArray = probabilities @ np.square(values) - np.square(mean)
    return mean, np.sqrt(np.maximum(variance, 0.0))


def _check_range(indices: NDArray[Any], sizes: NDArray[Any]) -> None:
    if indices.size and not ((indices >= 0) & (indices < sizes)).all():
        raise ContractViolationError(
            f"actions must lie below {sizes.tolist()}, got {indices.min(axis=0).tolist()} to "
            f"{indices.max(axis=0).tolist()}; check the action space"
        )


def _chosen(log_probabilities: Tensor, indices: Tensor) -> Tensor:
    return tf.gather(log_probabilities, indices, batch_dims=1)


def _entropy(log_probabilities: Tensor) -> Tensor:
    return -tf.reduce_sum(tf.exp(log_probabilities) * log_probabilities, axis=-1)


def _divergence(old: Tensor, new: Tensor) -> Tensor:
    return tf.reduce_sum(tf.exp(old) * (old - new), axis=-1)
