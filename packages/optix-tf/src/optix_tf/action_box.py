"""Actions between bounds, in the environment's units and from −1 to 1."""

import math
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from optix_core.episode_data import FloatArray
from optix_core.errors import ConfigurationError
from optix_tf.mirror_layers import Float32Array
from optix_tf.spaces import BoxSpace


@final
class ActionBox:
    """A bounded Box space: u from −1 to 1 is the action centre + scale · u.

    Raises:
        ConfigurationError: if the space is no Box, or has a bound that is infinite or out of order.
    """

    def __init__(self, space: object) -> None:
        """Read the bounds of a space with Gymnasium's attributes."""
        if not isinstance(space, BoxSpace):
            raise ConfigurationError(
                f"actions must be those of a Box space with bounds, got {space!r}; DQNAgent plays "
                "Discrete spaces and PPOAgent all kinds"
            )
        self._low = np.asarray(space.low, np.float64).ravel()
        self._high = np.asarray(space.high, np.float64).ravel()
        with np.errstate(over="ignore", invalid="ignore"):
            is_bounded = bool(np.isfinite(self._high - self._low).all())
        if not is_bounded or not (self._low < self._high).all():
            raise ConfigurationError(
                f"every action needs two finite bounds, low below high, got low={space.low}, "
                f"high={space.high}; gymnasium.wrappers.RescaleAction or PPOAgent may help"
            )
        self._shape = tuple(space.shape)
        self._dtype = np.dtype(space.dtype)
        self._scale = (self._high - self._low) / 2.0
        self._centre = (self._high + self._low) / 2.0

    @property
    def size(self) -> int:
        """Components of an action."""
        return math.prod(self._shape)

    def played(self, own: NDArray[Any]) -> NDArray[Any]:
        """Actions [B, ...] of u [B, A], within the bounds and of the space's type."""
        actions = np.clip(self._centre + self._scale * own, self._low, self._high)
        if self._dtype.kind in "iu":
            actions = np.rint(actions)
        return actions.astype(self._dtype).reshape(-1, *self._shape)

    def own(self, actions: NDArray[Any]) -> Float32Array:
        """Return u [B, A] of actions [B, ...] that were played."""
        plain = np.asarray(actions.tolist() if actions.dtype == object else actions, np.float64)
        flat = plain.reshape(-1, self.size)
        return np.clip((flat - self._centre) / self._scale, -1.0, 1.0).astype(np.float32)

    def moments(self, mean: FloatArray, std: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation [B, A] in the environment's units of those of u."""
        return self._centre + self._scale * mean, self._scale * std
