"""Exploration noise that is a random function of what is observed, not of the moment."""

import math
from collections.abc import Mapping
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from optix_core.episode_data import FloatArray
from optix_core.running_normalisation import RunningNormalisation

_N_FEATURES = 64
_EPSILON = 1e-8
_CLIP = 10.0


@final
class SmoothNoise:
    """Draws functions ε(o) with ε(o) ~ N(0, 1) at every observation, alike for like observations.

    ε_a(o) = Σ_j θ_ja φ_j(o), θ ~ N(0, 1), where φ(o) are random cosines of the observation, scaled
    to length 1: the noise at one observation is exactly standard normal over draws of the
    function, so that a policy μ(o) + σ(o) ε(o) has the very distribution that it has with noise of
    the moment. But while a function holds, one does the same in the same situation, and so gets
    somewhere: noise of the moment averages out wherever an action needs time to tell. The
    correlation of two observations falls like exp(−‖Δ‖² / 2n) in units of their standard
    deviations, n being their dimension.

    References:
        Rückstieß et al., State-dependent exploration for policy gradient methods, 2008.
        Rahimi and Recht, Random features for large-scale kernel machines, 2007.
        Raffin et al., Smooth exploration for robotic reinforcement learning, 2021.
    """

    def __init__(self, n_inputs: int, n_outputs: int, rng: np.random.Generator) -> None:
        """Draw the first function, of observations [n_inputs] into noise [n_outputs]."""
        self._n_outputs = n_outputs
        self._statistics = RunningNormalisation((n_inputs,))
        self.renew(rng)

    def renew(self, rng: np.random.Generator) -> None:
        """Draw another function."""
        n_inputs = self._statistics.mean.size
        self._slopes = rng.standard_normal((n_inputs, _N_FEATURES)) / math.sqrt(max(n_inputs, 1))
        self._phases = rng.uniform(0.0, 2.0 * math.pi, _N_FEATURES)
        self._weights = rng.standard_normal((_N_FEATURES, self._n_outputs))

    def observe(self, observations: NDArray[Any]) -> None:
        """Take flat observations [B, n_inputs] into the statistics that they are scaled by."""
        self._statistics.update(observations)

    def __call__(self, observations: NDArray[Any]) -> FloatArray:
        """Noise [B, n_outputs] at flat observations [B, n_inputs]."""
        scale = np.sqrt(self._statistics.variance + _EPSILON)
        scaled = np.clip((observations - self._statistics.mean) / scale, -_CLIP, _CLIP)
        features: FloatArray = np.cos(scaled @ self._slopes + self._phases)
        features /= np.linalg.norm(features, axis=1, keepdims=True)
        return features @ self._weights

    def state_dict(self) -> dict[str, Any]:
        """Return the function and the statistics."""
        return {
            "slopes": self._slopes.copy(),
            "phases": self._phases.copy(),
            "weights": self._weights.copy(),
            "statistics": self._statistics.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put back what `state_dict` returned."""
        self._slopes = np.array(state["slopes"])
        self._phases = np.array(state["phases"])
        self._weights = np.array(state["weights"])
        self._statistics.load_state_dict(state["statistics"])
