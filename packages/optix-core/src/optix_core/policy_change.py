"""How much a policy changed: from its distributions, or from the actions that it drew."""

import math
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from optix_core.action_columns import ActionColumns

FloatArray = NDArray[np.float64]
Gaussian = tuple[NDArray[Any], NDArray[Any]]
Distribution = NDArray[Any] | Gaussian
"""Probabilities [B, K], or (mean, std), each [B, A]."""

LEAST_SPREAD = 0.02
"""S counts at least this much, since a policy that is nearly certain gives too few differences."""
_SMALLEST = 1e-12
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyChange:
    """By how much a policy changed over a set of observations; not finite for a broken policy."""

    amount: float
    """Mean KL divergence of the new policy from the old, in nats; or the churn, a share."""
    error: float = 0.0
    """Standard error of the amount where it rests on independent draws."""
    is_churn: bool = False
    """Whether the amount is the share of observations whose greedy action changed."""


def change_of_distributions(before: Distribution, after: Distribution) -> PolicyChange | None:
    """Compare what `action_distribution` returned before and after.

    Probabilities p, q [B, K]: KL = mean Σ p log(p / q). (mean, std), each [B, A]:
    KL = mean Σ log(σ_q / σ_p) + (σ_p² + (μ_p - μ_q)²) / (2 σ_q²) - 1/2.

    Where all observations have the same smallest probability, and yet do not agree, the policy is
    greedy up to an exploration that does not look at them (ε-greedy, ε = 0 included): then the
    change is the churn of its most probable action.

    Returns:
        None where there is nothing to compare by: (mean, std) without spread, or no rows.
    """
    if isinstance(before, tuple):
        return _change_of_gaussians(before, cast("Gaussian", after))
    p, q = np.asarray(before, np.float64), np.asarray(after, np.float64)
    if not len(p):
        return None
    if _is_greedy(p) and _is_greedy(q):
        return PolicyChange(
            amount=np.count_nonzero(p.argmax(-1) != q.argmax(-1)) / len(p), is_churn=True
        )
    logs = np.log(np.maximum(p, _SMALLEST)) - np.log(np.maximum(q, _SMALLEST))
    return PolicyChange(amount=float((p * logs).sum(axis=-1).mean()))


def change_of_coupled_actions(
    old: ActionColumns,
    old_again: ActionColumns,
    new: ActionColumns,
    *,
    is_stochastic: bool,
) -> PolicyChange | None:
    """Compare actions a, a', b: b drawn with the same random numbers as a, a' with others.

    For a discrete component D = mean[a ≠ b], S = mean[a ≠ a'] and KL = D² / max(S, 0.02); for a
    continuous one s² = mean(a - a')² / 2 and KL = mean(a - b)² / (2 s²). Components add up. Where
    no component ever differs between a and a' the policy is greedy: its change is the churn, the
    share of observations where any component of b differs from a.

    Args:
        old: a, drawn by the policy before.
        old_again: a', drawn by it with other random numbers.
        new: b, drawn by the policy after, with the random numbers of a.
        is_stochastic: whether the policy is known to draw; it may have become nearly certain, and
            then is no greedy one.

    Returns:
        None for a deterministic policy with continuous components, whose change has no scale, and
        for no rows.
    """
    if not len(old):
        return None
    if not is_stochastic and not differs(old, old_again):
        return _churn(old, new)
    spread = np.mean(old.discrete != old_again.discrete, axis=0)
    changed = np.mean(old.discrete != new.discrete, axis=0)
    discrete = changed**2 / np.maximum(spread, LEAST_SPREAD)
    squares = np.mean((old.continuous - new.continuous) ** 2, axis=0)
    variance = np.mean((old.continuous - old_again.continuous) ** 2, axis=0) / 2.0
    has_spread = variance > 0.0
    continuous = squares[has_spread] / (2.0 * variance[has_spread])
    return PolicyChange(amount=float(discrete.sum() + continuous.sum()))


def change_of_independent_actions(
    old: tuple[ActionColumns, ActionColumns], new: tuple[ActionColumns, ActionColumns]
) -> PolicyChange | None:
    """Compare two draws a, a' of the old policy with two, b, b', of the new, all independent.

    With d the distance of two actions ([a ≠ b] of a discrete component, (a - b)² of a continuous
    one), E = mean of d over old and new, less half of d(a, a') + d(b, b'): the squared difference
    of the two policies. KL = E / max(S, 0.02) and E / (2 s²) as for coupled draws, which it equals
    in expectation to second order. It is noisy, hence the standard error. Greedy policies give
    their churn as for coupled draws.
    """
    (a, a2), (b, b2) = old, new
    if not len(a):
        return None
    if not differs(a, a2) and not differs(b, b2):
        return _churn(a, b)
    pairs = [(x, y) for x in (a, a2) for y in (b, b2)]
    discrete = sum(np.not_equal(x.discrete, y.discrete) / 4.0 for x, y in pairs)
    discrete = discrete - (
        np.not_equal(a.discrete, a2.discrete) / 2.0 + np.not_equal(b.discrete, b2.discrete) / 2.0
    )
    spread = np.maximum(np.mean(a.discrete != a2.discrete, axis=0), LEAST_SPREAD)
    continuous = sum((x.continuous - y.continuous) ** 2 / 4.0 for x, y in pairs)
    continuous = continuous - (
        (a.continuous - a2.continuous) ** 2 / 2.0 + (b.continuous - b2.continuous) ** 2 / 2.0
    )
    variance = np.mean((a.continuous - a2.continuous) ** 2, axis=0) / 2.0
    has_spread = variance > 0.0
    rows = (discrete / spread).sum(axis=1) + (
        continuous[:, has_spread] / (2.0 * variance[has_spread])
    ).sum(axis=1)
    error = float(rows.std(ddof=1)) / math.sqrt(len(rows)) if len(rows) > 1 else math.inf
    return PolicyChange(amount=float(rows.mean()), error=error)


def differs(one: ActionColumns, other: ActionColumns) -> bool:
    """Whether any component of any action differs."""
    return bool(
        np.any(one.discrete != other.discrete) or np.any(one.continuous != other.continuous)
    )


def fits(one: ActionColumns, other: ActionColumns) -> bool:
    """Whether two tables of actions have the same components."""
    return (
        one.discrete.shape == other.discrete.shape
        and one.continuous.shape == other.continuous.shape
    )


def _churn(old: ActionColumns, new: ActionColumns) -> PolicyChange | None:
    if old.continuous.shape[1]:
        return None
    changed = np.any(old.discrete != new.discrete, axis=1)
    return PolicyChange(amount=float(changed.mean()), is_churn=True)


def _is_greedy(probabilities: FloatArray) -> bool:
    least = probabilities.min(axis=-1)
    # Where all rows are equal nothing shows whether the policy looks at its observations.
    looks = bool(np.any(np.abs(probabilities - probabilities[0]) > _SMALLEST))
    return looks and float(np.ptp(least)) <= _ROUNDING


def _change_of_gaussians(before: Gaussian, after: Gaussian) -> PolicyChange | None:
    if not len(before[0]):
        return None
    (mean_p, std_p), (mean_q, std_q) = (
        tuple(np.asarray(part, np.float64).reshape(len(part), -1) for part in pair)
        for pair in (before, after)
    )
    if not (np.all(std_p > 0.0) and np.all(std_q > 0.0)):
        return None
    divergence = (
        np.log(std_q / std_p) + (std_p**2 + (mean_p - mean_q) ** 2) / (2.0 * std_q**2) - 0.5
    )
    return PolicyChange(amount=float(divergence.sum(axis=-1).mean()))
