"""Hyperparameters of an agent as a frozen value: names, types and ranges, checked at once."""

import difflib
import math
import numbers
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

from optix_core.errors import HyperparamError


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """Base of the settings of our agents; a subclass names its fields and checks their ranges."""

    algorithm: ClassVar[str]
    """What errors call it."""

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
                    f"{cls.algorithm} knows no hyperparameter {name!r}{guess} Known are "
                    f"{', '.join(known)}"
                )
        return cls(**params)

    def check_numbers(
        self, *names: str, low: float, high: float = math.inf, is_open: bool = False
    ) -> None:
        """Check that fields are finite numbers from `low`, itself excluded if open, to `high`.

        Raises:
            HyperparamError: if one is not.
        """
        for name in names:
            value: object = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, numbers.Real):
                raise HyperparamError(f"{name} must be a number, got {value!r}")
            number = float(value)
            is_in = low < number <= high if is_open else low <= number <= high
            if not is_in or math.isinf(number):
                bounds = f"{'(' if is_open else '['}{low:g}, {high:g}]"
                raise HyperparamError(f"{name} must be a finite number in {bounds}, got {value}")

    def check_integers(self, *names: str, low: int) -> None:
        """Check that fields are whole numbers of at least `low`.

        Raises:
            HyperparamError: if one is not.
        """
        self.check_numbers(*names, low=low)
        for name in names:
            if not isinstance(getattr(self, name), numbers.Integral):
                raise HyperparamError(f"{name} must be an int, got {getattr(self, name)!r}")

    def check_flags(self, *names: str) -> None:
        """Check that fields are True or False.

        Raises:
            HyperparamError: if one is not.
        """
        for name in names:
            if not isinstance(getattr(self, name), bool):
                raise HyperparamError(f"{name} must be a bool, got {getattr(self, name)!r}")
