"""From what the environment shows to what the network takes: encoding and normalisation."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optix_core.running_normalisation import RunningNormalisation
from optix_tf.mirror_layers import Float32Array
from optix_tf.observation_encoding import ObservationEncoding

_CLIP = 10.0
_EPSILON = 1e-8


class ObservationInputs:
    """Prepares observations by an encoding and, if wanted, by statistics of all that was seen.

    The statistics change in `observe` alone, so that acting, also in validation, leaves them.
    They are part of the policy and are saved with it.
    """

    def __init__(self, encoding: ObservationEncoding | None, *, normalise: bool) -> None:
        """Prepare with this encoding; None passes observations as they are.

        Args:
            encoding: of the observation space; needed in order to normalise.
            normalise: whether to normalise an encoding that has no scale of its own.
        """
        self._encoding = encoding
        self._statistics: RunningNormalisation | None = None
        if encoding is not None and normalise and encoding.is_normalised:
            self._statistics = RunningNormalisation(encoding.encoded_shape)
            self._refresh(self._statistics)

    @property
    def encoding(self) -> ObservationEncoding | None:
        """The encoding; None where observations pass as they are."""
        return self._encoding

    @property
    def scaling(self) -> tuple[Float32Array, Float32Array, float] | None:
        """Mean, inverse deviation and limit that `normalise` goes by; None if it does nothing."""
        return None if self._statistics is None else (self._mean, self._inverse_sd, _CLIP)

    def encode(self, observations: NDArray[Any]) -> NDArray[Any]:
        """Encode observations [B, ...] without normalising them."""
        return observations if self._encoding is None else self._encoding.encode(observations)

    def normalise(self, encoded: NDArray[Any]) -> NDArray[Any]:
        """Normalise encoded observations [B, ...] or a single one."""
        if self._statistics is None:
            return encoded
        scaled: Float32Array = (encoded - self._mean) * self._inverse_sd
        np.minimum(scaled, self._high, out=scaled)
        np.maximum(scaled, self._low, out=scaled)
        return scaled

    def one(self, observation: Any) -> Any:
        """Prepare one observation."""
        if self._encoding is None:
            return observation
        return self.normalise(self._encoding.encode(np.asarray(observation)[np.newaxis])[0])

    def batch(self, observations: Any) -> NDArray[Any]:
        """Prepare observations [B, ...]."""
        return self.normalise(self.encode(np.asarray(observations)))

    def observe(self, encoded: NDArray[Any]) -> None:
        """Take encoded observations [B, ...] into the statistics."""
        if self._statistics is not None:
            self._statistics.update(encoded)
            self._refresh(self._statistics)

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """Return the statistics; {} where there are none."""
        return {} if self._statistics is None else self._statistics.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put back what `state_dict` returned."""
        if self._statistics is not None:
            self._statistics.load_state_dict(state)
            self._refresh(self._statistics)

    def _refresh(self, statistics: RunningNormalisation) -> None:
        """Keep the statistics in float32, as one observation at a time needs them."""
        self._mean = statistics.mean.astype(np.float32)
        self._inverse_sd = (1.0 / np.sqrt(statistics.variance + _EPSILON)).astype(np.float32)
        self._high = np.full_like(self._mean, _CLIP)
        self._low = -self._high
