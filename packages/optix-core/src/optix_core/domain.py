"""The domain of a hyperparameter: what it may become without changing its type or meaning."""

import math
from dataclasses import dataclass
from typing import Any

from optix_core.errors import ConfigurationError

BRANCHES = "branches"
"""The role of what moves on branches of training alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """Where a hyperparameter may move. Bounds are inclusive.

    Raises:
        ConfigurationError: if the bounds are not finite or hold nothing, if they are not positive
            on a log scale, or if a category has bounds or no choice.
    """

    low: float | None = None
    """Smallest value, None for no bound."""
    high: float | None = None
    """Largest value, None for no bound."""
    log: bool = False
    """Whether it moves by factors."""
    integer: bool = False
    """Whether it takes whole numbers alone."""
    choices: tuple[Any, ...] | None = None
    """The values of a category; then it has no bounds and no arithmetic."""
    role: str | None = None
    """`"step_size"` names the parameter that the StepSizeController may steer; `"branches"` one
    that moves only where branches of training are compared, and never drifts."""
    probe: bool = True
    """Whether the change of the policy may be measured by calling `act`."""

    def __post_init__(self) -> None:
        """Refuse bounds that hold nothing."""
        for name, bound in (("low", self.low), ("high", self.high)):
            if bound is not None and not math.isfinite(bound):
                raise ConfigurationError(f"{name} must be finite, got {bound}; None means no bound")
        if self.low is not None and self.high is not None:
            self._check_span(self.low, self.high)
        if self.log and (self.low is None or self.low <= 0):
            raise ConfigurationError(
                f"a log scale needs a positive low, got low={self.low}; give one"
            )
        if self.choices is not None:
            self._check_choices(self.choices)

    def _check_span(self, low: float, high: float) -> None:
        if low > high:
            raise ConfigurationError(f"low must not exceed high, got low={low}, high={high}")
        if self.integer and math.ceil(low) > math.floor(high):
            raise ConfigurationError(f"no whole number lies between low={low} and high={high}")

    def _check_choices(self, choices: tuple[Any, ...]) -> None:
        if not choices:
            raise ConfigurationError("choices must name at least one value, got ()")
        if self.low is not None or self.high is not None:
            raise ConfigurationError(
                f"a category has no bounds, got low={self.low}, high={self.high}; drop them"
            )
