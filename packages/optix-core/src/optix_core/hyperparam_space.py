"""Which hyperparameters may be tuned, and within what: declared, bounded or inferred."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, final

import numpy as np

from optix_core.domain import BRANCHES, Domain
from optix_core.domain_arithmetic import clip
from optix_core.domain_inference import (
    INTEGER,
    POSITIVE,
    POSITIVE_INTEGER,
    REAL,
    UNIT_INTERVAL,
    infer_domain,
    is_number,
)
from optix_core.errors import CheckpointCorruptError, ConfigurationError

logger = logging.getLogger(__name__)

_KINDS = {
    "unit interval": UNIT_INTERVAL,
    "positive": POSITIVE,
    "positive integer": POSITIVE_INTEGER,
    "integer": INTEGER,
    "real": REAL,
}


@final
class HyperparamSpace:
    """The domains of an agent's hyperparameters.

    By name, what the agent declares holds; `param_bounds` gives the ends that a declaration leaves
    open, and the domain of what is not declared. Where the agent declares nothing at all, every
    other number is tunable within what its value implies; where it does declare, only what is
    declared or bounded is tunable. Values that are no numbers, and categories, never are. What is
    declared for branches of training (`role="branches"`) is tunable there, and wherever the user
    gave it bounds.

    What was inferred from a first value holds while later values suit it: a coefficient that was
    tuned from 1.1 to 0.9 may come back, and one that started at 0.9 never passes 1.

    Raises:
        ConfigurationError: if a bound is not a pair of finite numbers, the lower one first.
    """

    def __init__(self, param_bounds: Mapping[str, tuple[float, float]] | None = None) -> None:
        """Take the user's bounds by name."""
        self._bounds = {
            name: _bounded(name, bounds) for name, bounds in (param_bounds or {}).items()
        }
        self._declared: dict[str, Domain] | None = None
        self._inferred: dict[str, Domain] = {}
        self._has_warned = False

    def declare(self, domains: Mapping[str, Domain]) -> None:
        """Take what the agent declares; an empty mapping means that nothing may be tuned."""
        self._declared = dict(domains)

    def tunable(self, params: Mapping[str, Any], *, on_branches: bool = False) -> dict[str, Domain]:
        """Return the domain of each tunable hyperparameter, in the order of `params`.

        Args:
            params: hyperparameters by name.
            on_branches: whether they will be compared on branches of training.
        """
        self._warn_of_strangers(params)
        domains: dict[str, Domain] = {}
        for name, value in params.items():
            domain = self._domain(name, value) if is_number(value) else None
            if domain is None or domain.choices is not None:
                continue
            if on_branches or domain.role != BRANCHES or name in self._bounds:
                domains[name] = domain
        return domains

    def state_dict(self) -> dict[str, Any]:
        """Return what was inferred, by name."""
        return {
            name: next(kind for kind, domain in _KINDS.items() if domain == inferred)
            for name, inferred in self._inferred.items()
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put back what `state_dict` returned.

        Raises:
            CheckpointCorruptError: if it names a kind that cannot be inferred.
        """
        unknown = [kind for kind in state.values() if kind not in _KINDS]
        if unknown:
            raise CheckpointCorruptError(f"no kind of hyperparameter: {unknown}")
        self._inferred = {name: _KINDS[kind] for name, kind in state.items()}

    def _domain(self, name: str, value: Any) -> Domain | None:
        bounds = self._bounds.get(name)
        declared = None if self._declared is None else self._declared.get(name)
        if declared is not None:
            return declared if bounds is None else _narrow(declared, bounds)
        if bounds is None and self._declared is None:
            return self._infer(name, value)
        return bounds

    def _infer(self, name: str, value: Any) -> Domain | None:
        kept = self._inferred.get(name)
        if kept is not None and _suits(kept, value):
            return kept
        inferred = infer_domain(value)
        if inferred is not None:
            self._inferred[name] = inferred
        return inferred

    def _warn_of_strangers(self, params: Mapping[str, Any]) -> None:
        strangers = sorted(self._bounds.keys() - params.keys())
        if strangers and not self._has_warned:
            self._has_warned = True
            logger.warning(
                "param_bounds names %s, which the agent does not have; it has %s",
                ", ".join(strangers),
                ", ".join(params) or "no hyperparameters",
            )


def _bounded(name: str, bounds: tuple[float, float]) -> Domain:
    try:
        low, high = (float(bound) for bound in bounds)
        return Domain(low=low, high=high)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(
            f"param_bounds[{name!r}] must be (low, high), finite and low ≤ high, got {bounds!r}"
        ) from error


def _suits(domain: Domain, value: Any) -> bool:
    is_whole = isinstance(value, int | np.integer)
    return is_whole == domain.integer and clip(domain, float(value)) == float(value)


def _narrow(declared: Domain, bounds: Domain) -> Domain:
    if declared.choices is not None:
        return declared
    return replace(
        declared,
        low=bounds.low if declared.low is None else declared.low,
        high=bounds.high if declared.high is None else declared.high,
    )
