"""The hyperparameters of PPO: names, defaults and ranges."""

import difflib
import math
import numbers
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from optix_core.errors import HyperparamError


@dataclass(frozen=True, slots=True, kw_only=True)
class PPOSettings:
    """Hyperparameters of PPO. The defaults are meant for every environment alike.

    They are made for windows of about 1,000 steps of several environments (8 × 128).

    Raises:
        HyperparamError: if a value is of the wrong type or out of range.
    """

    learning_rate: float = 1e-3
    """Step size of the optimizer, > 0."""
    gamma: float = 0.99
    """Discount, in [0, 1]."""
    gae_lambda: float = 0.95
    """Trace decay of the advantage estimate, in [0, 1]."""
    clip_ratio: float = 0.2
    """How far the probability ratio may go from 1 and still gain, > 0."""
    entropy_coeff: float = 0.01
    """Weight of the entropy bonus, ≥ 0."""
    value_coeff: float = 0.5
    """Weight of the value loss, ≥ 0."""
    max_grad_norm: float = 0.5
    """Gradients are scaled down to this norm, > 0."""
    n_epochs: int = 10
    """Passes over a window, ≥ 1."""
    minibatch_size: int = 256
    """Steps per update, ≥ 1."""
    target_kl: float | None = 0.02
    """Passes end early when the estimated divergence exceeds 1.5 times this; None for never."""

    def __post_init__(self) -> None:
        """Check types and ranges."""
        for name in ("learning_rate", "clip_ratio", "max_grad_norm"):
            self._check(name, low=0.0, is_open=True)
        for name in ("entropy_coeff", "value_coeff"):
            self._check(name, low=0.0)
        for name in ("gamma", "gae_lambda"):
            self._check(name, low=0.0, high=1.0)
        for name in ("n_epochs", "minibatch_size"):
            self._check(name, low=1.0)
            if not isinstance(getattr(self, name), numbers.Integral):
                raise HyperparamError(f"{name} must be an int, got {getattr(self, name)!r}")
        if self.target_kl is not None:
            self._check("target_kl", low=0.0, is_open=True)

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Self:
        """Read hyperparameters by name; those not given have their defaults.

        Raises:
            HyperparamError: also if a name is unknown.
        """
        known = [field.name for field in fields(cls)]
        for name in params:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                guess = f"; did you mean {near[0]}?" if near else ""
                raise HyperparamError(
                    f"PPO knows no hyperparameter {name!r}{guess} Known are {', '.join(known)}"
                )
        return cls(**params)

    def _check(
        self, name: str, *, low: float, high: float = math.inf, is_open: bool = False
    ) -> None:
        value: object = getattr(self, name)
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            raise HyperparamError(f"{name} must be a number, got {value!r}")
        number = float(value)
        is_in = low < number <= high if is_open else low <= number <= high
        if not is_in or math.isinf(number):
            bounds = f"{'(' if is_open else '['}{low:g}, {high:g}]"
            raise HyperparamError(f"{name} must be a finite number in {bounds}, got {value}")
