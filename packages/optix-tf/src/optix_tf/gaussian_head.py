"""Policies over real numbers: a Gaussian whose draws beyond the bounds land on the bounds."""

import math
from collections.abc import Hashable, Mapping
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from optix_core.errors import ConfigurationError
from optix_tf._tensorflow import Tensor, keras, tf
from optix_tf.policy_head import PolicyHead

_LOG_STD_RANGE = (-5.0, 2.0)
_EDGE = 1e-6
"""This close to a bound, in units of the policy, an action lies on it."""
_FAR = 5.0
"""Beyond so many standard deviations the normal distribution's tail is taken from its series."""


@final
class GaussianHead(PolicyHead):
    """A diagonal Gaussian with a learned standard deviation that no observation changes.

    The policy's own units are such that a component with two finite bounds has them at −1 and 1;
    other components keep the environment's units. What is drawn beyond a bound is played at the
    bound, and its likelihood is the probability of landing there, not the density at a point the
    environment never saw. So learning needs the played action alone, and is not biased.

    References:
        Fujita and Maeda, Clipped action policy gradient, 2018.
    """

    def __init__(self, low: NDArray[Any], high: NDArray[Any], dtype: Any, log_std: float) -> None:
        """Play actions within these bounds, which may be infinite.

        Args:
            low: smallest values; has the action's shape.
            high: largest values.
            dtype: of the actions.
            log_std: initial logarithm of the standard deviation, in the policy's units.
        """
        self._shape = low.shape
        self._dtype = np.dtype(dtype)
        self._low = np.asarray(low, np.float64).ravel()
        self._high = np.asarray(high, np.float64).ravel()
        if not (self._low < self._high).all():
            raise ConfigurationError(f"low must lie below high, got low={low}, high={high}")
        bounded = np.isfinite(self._low) & np.isfinite(self._high)
        with np.errstate(invalid="ignore", over="ignore"):
            self._scale = np.where(bounded, (self._high - self._low) / 2, 1.0)
            self._centre = np.where(bounded, (self._high + self._low) / 2, 0.0)
        self._lower = (self._low - self._centre) / self._scale
        self._upper = (self._high - self._centre) / self._scale
        start = np.full(self._low.size, log_std, np.float32)
        self._log_std = keras.Variable(start, name="log_std", trainable=True)
        self._std: NDArray[np.float64] | None = None
        self._remembered: Tensor = None

    @property
    def n_outputs(self) -> int:
        return self._low.size

    @property
    def structure(self) -> Hashable:
        return self._shape, self._dtype.str, self._low.tobytes(), self._high.tobytes()

    @property
    def variables(self) -> Mapping[str, Any]:
        return {"log_std": self._log_std}

    def mark_stale(self) -> None:
        self._std = None

    def sample_one(self, outputs: NDArray[Any], rng: np.random.Generator) -> Any:
        drawn = outputs + self.std * rng.standard_normal(self._low.size)
        return self._played(drawn).reshape(self._shape)

    def sample(self, outputs: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
        drawn = outputs + self.std * rng.standard_normal(outputs.shape)
        return self._played(drawn).reshape(-1, *self._shape)

    def greedy(self, outputs: NDArray[Any]) -> NDArray[Any]:
        return self._played(outputs.astype(np.float64)).reshape(-1, *self._shape)

    def distribution(self, outputs: NDArray[Any]) -> Any:
        """Return (mean, std) in the environment's units, before the bounds; each [B, A]."""
        mean = self._centre + self._scale * outputs
        return mean, np.broadcast_to(self._scale * self.std, mean.shape).copy()

    def encode(self, actions: NDArray[Any]) -> NDArray[Any]:
        flat = np.asarray(actions.tolist() if actions.dtype == object else actions, np.float64)
        own_units = (flat.reshape(-1, self._low.size) - self._centre) / self._scale
        # A bound need not survive the environment's dtype: what is as good as on it, is on it.
        at_low, at_high = own_units <= self._lower + _EDGE, own_units >= self._upper - _EDGE
        own_units = np.where(at_low, self._lower, np.where(at_high, self._upper, own_units))
        return own_units.astype(np.float32)

    def log_probability(self, outputs: Tensor, encoded: Tensor) -> Tensor:
        lower, upper = tf.constant(self._lower, tf.float32), tf.constant(self._upper, tf.float32)
        log_std = self._clipped()
        z = (encoded - outputs) * tf.exp(-log_std)
        inside = -0.5 * z * z - log_std - 0.5 * math.log(2.0 * math.pi)
        at_low, at_high = encoded <= lower, encoded >= upper
        each = tf.where(at_low, _log_normal_cdf(z), tf.where(at_high, _log_normal_cdf(-z), inside))
        return tf.reduce_sum(each, axis=-1)

    def entropy(self, outputs: Tensor) -> Tensor:
        """Entropy of the Gaussian before the bounds."""
        constant = 0.5 * math.log(2.0 * math.pi * math.e)
        return tf.reduce_sum(self._clipped() + constant + tf.zeros_like(outputs), axis=-1)

    def remember(self) -> None:
        self._remembered = tf.identity(self._clipped())

    def divergence(self, old: Tensor, new: Tensor) -> Tensor:
        before, after = self._remembered, self._clipped()
        squares = tf.exp(2.0 * before) + tf.square(old - new)
        each = after - before + 0.5 * squares * tf.exp(-2.0 * after) - 0.5
        return tf.reduce_sum(each, axis=-1)

    @property
    def std(self) -> NDArray[np.float64]:
        """Standard deviation in the policy's units, [A]."""
        if self._std is None:
            log_std = np.asarray(self._log_std.numpy(), np.float64)
            self._std = np.exp(np.clip(log_std, *_LOG_STD_RANGE))
        return self._std

    def _clipped(self) -> Tensor:
        return tf.clip_by_value(self._log_std.value, *_LOG_STD_RANGE)

    def _played(self, own_units: NDArray[np.float64]) -> NDArray[Any]:
        actions = self._centre + self._scale * own_units
        bounded = np.minimum(np.maximum(actions, self._low), self._high)
        if self._dtype.kind in "iu":
            bounded = np.rint(bounded)
        return bounded.astype(self._dtype)


def _log_normal_cdf(z: Tensor) -> Tensor:
    """Compute log Φ(z), with its gradient, over the whole of float32."""
    near = tf.maximum(z, -_FAR)
    far = tf.minimum(z, -_FAR)
    inverse_square = 1.0 / tf.square(far)
    series = tf.math.log1p(-inverse_square + 3.0 * tf.square(inverse_square))
    tail = -0.5 * tf.square(far) - tf.math.log(-far) - 0.5 * math.log(2.0 * math.pi) + series
    return tf.where(z > -_FAR, tf.math.log(0.5 * tf.math.erfc(-near / math.sqrt(2.0))), tail)
