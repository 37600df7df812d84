"""The domain of a hyperparameter: what it may become without changing its type or meaning."""

from dataclasses import dataclass
from typing import Any

from optix_core.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """Where a hyperparameter may move. Bounds are inclusive.

    Raises:
        ConfigurationError: if the bounds are empty or not positive on a log scale.
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
    """`"step_size"` names the parameter that the StepSizeController may steer."""
    probe: bool = True
    """Whether the change of the policy may be measured by calling `act`."""

    def __post_init__(self) -> None:
        """Refuse bounds that hold nothing."""
        if self.low is not None and self.high is not None and not self.low <= self.high:
            raise ConfigurationError(
                f"low must not exceed high, got low={self.low}, high={self.high}"
            )
        if self.log and (self.low is None or self.low <= 0):
            raise ConfigurationError(
                f"a log scale needs a positive low, got low={self.low}; give one"
            )
