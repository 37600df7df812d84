"""Arithmetic on hyperparameters that keeps their type and their domain."""

import math
from typing import Any, TypeVar

import numpy as np

from optix_core.domain import Domain
from optix_core.domain_inference import POSITIVE, UNIT_INTERVAL

Number = TypeVar("Number", bound=float | np.integer[Any] | np.floating[Any])
"""An int, a float or a NumPy scalar; what comes back is of the same type."""


def clip(domain: Domain, proposed: float) -> float:
    """Bring a number between the bounds; unbounded ends leave it as it is."""
    above = proposed if domain.low is None else max(proposed, domain.low)
    return above if domain.high is None else min(above, domain.high)


def scale(domain: Domain, theta: float) -> float:
    """The size of a hyperparameter: |θ|, but 1 at θ = 0 and min(θ, 1 − θ) in (0, 1) without bounds.

    The bounds that were inferred from a value in (0, 1) do not count as bounds here: near 1, as a
    discount is, the distance to 1 is what matters.
    """
    is_unbounded = domain == UNIT_INTERVAL or (domain.low is None and domain.high is None)
    if is_unbounded and 0.0 < theta < 1.0:
        return min(theta, 1.0 - theta)
    return abs(theta) or 1.0


def fit(domain: Domain, theta: Number, proposed: float) -> Number:
    """Make a proposed number a value of the domain, of the type of θ.

    It is clipped to the bounds; a proposal at or beyond an end that is excluded (0 for a positive
    float, 0 and 1 for one in (0, 1)) goes half of the way from θ to that end instead, since the
    nearest float to the end would mean the end. Whole numbers are rounded half up.

    Returns:
        θ itself for a proposal that is not finite, or where its type has no value within reach.
    """
    if not math.isfinite(proposed):
        return theta
    inside = clip(domain, _inside_open_ends(domain, float(theta), proposed))
    if isinstance(theta, int | np.integer) or domain.integer:
        return _whole(domain, theta, inside)
    return _of_type(domain, theta, inside)


def shift(domain: Domain, theta: Number, delta: float) -> Number:
    """θ + δ within the domain; a whole number moves by round(|δ|), at least 1."""
    if isinstance(theta, int | np.integer) or domain.integer:
        delta = math.copysign(max(1.0, math.floor(abs(delta) + 0.5)), delta)
    return fit(domain, theta, float(theta) + delta)


def mutate(domain: Domain, theta: Number, relative_sd: float, rng: np.random.Generator) -> Number:
    """A relative Gaussian step within the domain: θ (1 + sd · N(0, 1)). Zero stays zero."""
    return fit(domain, theta, float(theta) * (1.0 + relative_sd * rng.standard_normal()))


def explore(domain: Domain, theta: Number, share: float, rng: np.random.Generator) -> Number:
    """A Gaussian step in proportion to the room: θ + share · (high − low) · N(0, 1).

    On a log scale the formula holds for logarithms. Without two bounds, and for those that were
    inferred from a value, it is θ (1 + share · N(0, 1)).
    """
    low, high = domain.low, domain.high
    if domain == UNIT_INTERVAL or low is None or high is None:
        return mutate(domain, theta, share, rng)
    noise = rng.standard_normal()
    if domain.log:
        start = math.log(clip(domain, float(theta)))
        return fit(domain, theta, math.exp(start + share * math.log(high / low) * noise))
    return fit(domain, theta, float(theta) + share * (high - low) * noise)


def _inside_open_ends(domain: Domain, theta: float, proposed: float) -> float:
    if domain.low == POSITIVE.low and proposed <= 0.0:
        return theta / 2.0
    if domain.high == UNIT_INTERVAL.high and proposed >= 1.0:
        return (theta + 1.0) / 2.0
    return proposed


def _whole(domain: Domain, theta: Number, inside: float) -> Number:
    low = -math.inf if domain.low is None else math.ceil(domain.low)
    high = math.inf if domain.high is None else math.floor(domain.high)
    if isinstance(theta, np.integer):
        limits = np.iinfo(theta.dtype)
        low, high = max(low, limits.min), min(high, limits.max)
    if low > high:
        return theta
    return _of_type(domain, theta, min(max(math.floor(inside + 0.5), low), high))


def _of_type(domain: Domain, theta: Number, inside: float) -> Number:
    # A NumPy float of low precision may overflow, or round onto a bound and beyond.
    with np.errstate(over="ignore", under="ignore"):
        value = type(theta)(inside)
    if isinstance(value, np.floating) and clip(domain, float(value)) != float(value):
        value = type(theta)(np.nextafter(value, theta))
    is_kept = math.isfinite(value) and clip(domain, float(value)) == float(value)
    return value if is_kept else theta
