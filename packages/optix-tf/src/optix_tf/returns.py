"""Discounted sums along a window: backward in time, over all environments at once."""

import numpy as np

from optix_core.episode_data import BoolArray, FloatArray


def backward_scan(terms: FloatArray, factors: FloatArray, beyond: FloatArray) -> FloatArray:
    """Solve y_t = terms_t + factors_t · y_{t+1} from the last row, behind which y is `beyond`.

    Args:
        terms: [T, N].
        factors: [T, N]; 0 where nothing may come back from the row after.
        beyond: [N].

    Returns:
        y, [T, N]; empty for T = 0.
    """
    sums = np.empty_like(terms)
    reached = beyond
    for t in range(len(terms) - 1, -1, -1):
        reached = terms[t] + factors[t] * reached
        sums[t] = reached
    return sums


def discounted_returns(
    rewards: FloatArray,
    terminated: BoolArray,
    truncated: BoolArray,
    *,
    gamma: float,
    unknown: float = 0.0,
    valid: BoolArray | None = None,
) -> FloatArray:
    """Return-to-go of every row: G_t = r_t + γ G_{t+1} within its episode and environment.

    Behind a termination comes 0. Behind a truncation, and behind the window's last row, the future
    is not known; `unknown` stands for it.

    Args:
        rewards: [T, N].
        terminated: [T, N].
        truncated: [T, N].
        gamma: discount γ.
        unknown: return expected where the window does not show it.
        valid: [T, N], False for rows that are no steps; they pass their successor's value through.
    """
    cut = truncated & ~terminated
    terms = rewards + gamma * unknown * cut
    factors = np.where(terminated | truncated, 0.0, gamma)
    if valid is not None:
        terms = np.where(valid, terms, 0.0)
        factors = np.where(valid, factors, 1.0)
    return backward_scan(terms, factors, _row(rewards, unknown))


def generalised_advantages(
    deltas: FloatArray, ended: BoolArray, *, decay: float, valid: BoolArray | None = None
) -> FloatArray:
    """Generalised advantage estimates: A_t = δ_t + γλ A_{t+1}, and A_t = δ_t at an episode's end.

    Args:
        deltas: temporal differences δ_t = r_t + γ V(s_{t+1}) − V(s_t), [T, N].
        ended: whether the row ended its episode, [T, N].
        decay: γλ.
        valid: [T, N], False for rows that are no steps.

    References:
        Schulman et al., High-dimensional continuous control using generalized advantage
        estimation, 2016.
    """
    factors = np.where(ended, 0.0, decay)
    if valid is not None:
        deltas = np.where(valid, deltas, 0.0)
        factors = np.where(valid, factors, 1.0)
    return backward_scan(deltas, factors, _row(deltas, 0.0))


def _row(like: FloatArray, value: float) -> FloatArray:
    return np.zeros(like.shape[1]) + value
