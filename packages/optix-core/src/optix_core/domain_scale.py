"""Scales on which hyperparameters move by factors, chosen by domain and value, never by name."""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from optix_core.domain import Domain
from optix_core.domain_arithmetic import Number, clip, fit
from optix_core.domain_inference import (
    INTEGER,
    POSITIVE,
    POSITIVE_INTEGER,
    REAL,
    UNIT_INTERVAL,
)

_INFERRED = (INTEGER, POSITIVE, POSITIVE_INTEGER, REAL, UNIT_INTERVAL)
Value = float | np.integer[Any] | np.floating[Any]
_NEAR_ZERO = 0.05
_LOG_OFFSET = 1e-5
_END_OFFSET = 1e-3
_LARGEST = 700.0
"""exp of anything larger would overflow."""


class ScaleKind(StrEnum):
    """How θ is transformed; each transform rises with θ."""

    LOG = "log"
    """z = log(θ + ε): what is positive, and what lies near 0."""
    COMPLEMENT = "complement"
    """z = −log(1 − θ + ε): what lies in the upper half of [0, 1], as a discount does."""
    LOGIT = "logit"
    """z = log(θ / (1 − θ)): what lies in the lower half of [0, 1], but not near 0."""
    SIGNED = "signed"
    """z = asinh θ: what may be negative; additive near 0, by factors far from it."""


_SPREAD = {
    # In natural logarithms: 2.07 is a factor of 10^N(0, 0.9), 0.63 one of 2^N(0, 0.9). A share in
    # the middle of (0, 1), as a clip range, has less room than a rate.
    ScaleKind.LOG: 2.07,
    ScaleKind.COMPLEMENT: 2.07,
    ScaleKind.LOGIT: 0.63,
    ScaleKind.SIGNED: 0.9,
}
"""Standard deviation of the prior where nobody gave bounds."""


@dataclass(frozen=True, slots=True)
class Scale:
    """A transform and its ε, which keeps an end that is included finite."""

    kind: ScaleKind
    offset: float = 0.0

    def forward(self, theta: float) -> float:
        """Return z(θ) for θ in the domain; a θ at or beyond an end counts as just inside of it."""
        match self.kind:
            case ScaleKind.LOG:
                return math.log(max(theta + self.offset, math.ulp(0.0)))
            case ScaleKind.COMPLEMENT:
                return -math.log(max(1.0 - theta + self.offset, math.ulp(0.5)))
            case ScaleKind.LOGIT:
                inside = min(max(theta, _END_OFFSET), 1.0 - _END_OFFSET)
                return math.log(inside / (1.0 - inside))
            case ScaleKind.SIGNED:
                return math.asinh(theta)

    def backward(self, z: float) -> float:
        """Return θ(z); beyond what a float holds, the last θ that it does."""
        match self.kind:
            case ScaleKind.LOG:
                return math.exp(min(z, _LARGEST)) - self.offset
            case ScaleKind.COMPLEMENT:
                return 1.0 + self.offset - math.exp(min(-z, _LARGEST))
            case ScaleKind.LOGIT:
                return 1.0 / (1.0 + math.exp(min(-z, _LARGEST)))
            case ScaleKind.SIGNED:
                return math.sinh(min(max(z, -_LARGEST), _LARGEST))


def scale_of(domain: Domain, theta: float) -> Scale:
    """Choose the scale of a hyperparameter by its domain, and within [0, 1] by its value."""
    low, high = domain.low, domain.high
    if domain.log:
        return Scale(ScaleKind.LOG)
    if low is None or low < 0.0:
        return Scale(ScaleKind.SIGNED)
    if high is not None and high <= 1.0 and theta >= _NEAR_ZERO:
        if theta < 0.5:  # noqa: PLR2004 - the middle of [0, 1]
            return Scale(ScaleKind.LOGIT)
        return Scale(ScaleKind.COMPLEMENT, 0.0 if high < 1.0 else _END_OFFSET)
    return Scale(ScaleKind.LOG, 0.0 if low > 0.0 else _LOG_OFFSET)


def multiply(domain: Domain, theta: Number, factor: float) -> Number:
    """Move θ by log(factor) on its scale, within its domain and type.

    A positive θ far from 1 becomes θ · factor; a share near 1 has its distance to 1 divided by it.
    A whole number moves by at least 1 where the domain has room. A factor of 1 changes nothing.
    """
    step = math.log(factor)
    if step == 0.0:
        return theta
    moved = at(domain, theta, place(domain, theta) + step)
    if moved == theta and (domain.integer or isinstance(theta, int | np.integer)):
        return fit(domain, theta, float(theta) + math.copysign(1.0, step))
    return moved


def draw(domain: Domain, theta: Number, rng: np.random.Generator) -> Number:
    """A fresh draw from the prior, on the scale of θ: the mean of two uniform draws between bounds.

    So the middle of what is declared is likeliest and its ends are reached: bounds are where
    values stop making sense, not where they are usual. Without two of them it is Gaussian round θ.
    """
    room = declared_room(domain, theta)
    if room is None:
        spread = spread_without_bounds(domain, theta)
        return at(domain, theta, place(domain, theta) + spread * rng.standard_normal())
    low, high = room
    return at(domain, theta, low + (high - low) * float(rng.random(2).mean()))


def declared_room(domain: Domain, theta: Value) -> tuple[float, float] | None:
    """Return where two declared bounds lie on the scale of θ; None without two."""
    if domain in _INFERRED or domain.low is None or domain.high is None:
        return None
    scale = scale_of(domain, float(theta))
    return scale.forward(domain.low), scale.forward(domain.high)


def spread_without_bounds(domain: Domain, theta: Value) -> float:
    """Return the standard deviation of the prior round θ on its scale, where bounds are missing."""
    return _SPREAD[scale_of(domain, float(theta)).kind]


def place(domain: Domain, theta: Value) -> float:
    """Return where θ lies on its scale."""
    return scale_of(domain, float(theta)).forward(clip(domain, float(theta)))


def at(domain: Domain, theta: Number, z: float) -> Number:
    """Return the value at a place on the scale of θ, within its domain and of the type of θ."""
    return fit(domain, theta, scale_of(domain, float(theta)).backward(z))
