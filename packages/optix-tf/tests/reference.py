"""Slow twins, written from the formulas."""

import math
from collections.abc import Sequence
from typing import Any


def return_to_go(
    rewards: Sequence[float],
    terminated: Sequence[bool],
    truncated: Sequence[bool],
    *,
    gamma: float,
    unknown: float,
) -> list[float]:
    """G_t of one environment, each summed forward from its own row."""
    totals = list[float]()
    for start in range(len(rewards)):
        total, discount = 0.0, 1.0
        for t in range(start, len(rewards)):
            total += discount * rewards[t]
            discount *= gamma
            if terminated[t]:
                break
            if truncated[t] or t == len(rewards) - 1:
                total += discount * unknown
                break
        totals.append(total)
    return totals


def advantages(deltas: Sequence[float], ended: Sequence[bool], decay: float) -> list[float]:
    """A_t = Σ (γλ)^k δ_{t+k}, up to the end of the episode."""
    totals = list[float]()
    for start in range(len(deltas)):
        total, weight = 0.0, 1.0
        for t in range(start, len(deltas)):
            total += weight * deltas[t]
            weight *= decay
            if ended[t]:
                break
        totals.append(total)
    return totals


def clipped_normal_log_probability(
    action: Any, mean: Any, std: float, bounds: tuple[float, float]
) -> float:
    """Log of the density inside the bounds, of the probability beyond them on a bound."""
    low, high = bounds
    z = (action - mean) / std
    if action <= low:
        return math.log(0.5 * math.erfc(-z / math.sqrt(2.0)))
    if action >= high:
        return math.log(0.5 * math.erfc(z / math.sqrt(2.0)))
    return -0.5 * z * z - math.log(std * math.sqrt(2.0 * math.pi))


def n_step_transitions(
    steps: Sequence[Sequence[Any]], n: int, gamma: float, *, is_cut: bool
) -> list[tuple[Any, ...]]:
    """(o, R, d, o') of every step of one environment that is known for n steps, or to its end.

    Args:
        steps: each (observation, reward, terminated, truncated, next observation).
        n: steps of a transition.
        gamma: discount.
        is_cut: whether the last steps are wanted as they are.
    """
    made = list[tuple[Any, ...]]()
    for start in range(len(steps)):
        total, k, after = 0.0, 0, (0.0, None)
        ended = False
        while k < n and start + k < len(steps) and not ended:
            _, reward, terminated, truncated, following = steps[start + k]
            total += gamma**k * reward
            k += 1
            ended = terminated or truncated
            after = (0.0 if terminated else gamma**k, following)
        if ended or k == n or is_cut:
            made.append((steps[start][0], total, *after))
    return made
