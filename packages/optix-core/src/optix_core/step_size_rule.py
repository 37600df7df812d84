"""By what factor a step size moves for a given change of the policy."""

import math

from optix_core.policy_change import PolicyChange

TARGET_KL = 0.01
"""Aim of the policy's change per `learn()`, in nats; 0.008 to 0.01 in rl_games, rsl_rl and skrl."""
BAND = 2.0
"""The change may lie between the target divided and multiplied by this."""
LOWEST_KL, HIGHEST_KL = TARGET_KL / BAND, TARGET_KL * BAND
STEP = 1.5
"""Factor of one move."""
MOST_STEPS = 4
"""Moves at once, at most: 1.5⁴ is a factor of five."""
RUINOUS_KL = 10.0 * TARGET_KL
"""A change beyond this is no lesson: chosen on development seeds of the public study."""
RATIO_BAND = (5e-4, 3e-3)
"""An update's length may be so large a share of the weights' length."""
RUINOUS_RATIO = 1e-2
"""Ten times the usual advice: what first lessons at ten times a good step size come to."""
CHURN_BAND = (0.08, 0.35)
"""Share of greedy actions that may change per 1,000 environment steps."""
_CHURN_STEPS = 1000.0
_Z = 3.0
"""Standard errors by which a noisy change has to lie beyond the band: 1 in 700 does by chance."""


def factor_for(change: PolicyChange, n_steps: int, *, most_up: int = 1) -> float:
    """Return by what the step size is to be multiplied: 1, or 1.5 or 1/1.5 once or several times.

    KL > 2t divides, KL < t/2 multiplies, with t = 0.01 per `learn()`; where the change has a
    standard error, it has to lie beyond by 3 of them. KL grows with the square of a small step:
    for each 1.5² that it lies above 2t the step size is divided once more, 4 times at most, since
    a policy that is thrown about ruins itself before single divisions have helped. For each 1.5⁴
    that it lies below t/2 the step size is multiplied once more, `most_up` times at most: half the
    way, since a change may be small because there is little to learn yet. The churn of a greedy
    policy divides above 0.35 per 1,000 steps and multiplies below 0.08, once. A change that is no
    number keeps the step size; an infinite one divides.

    Args:
        change: of the policy by one `learn()`.
        n_steps: environment steps of the window that was learned from.
        most_up: multiplications at once, at least 1. More than one suits a step size that may be
            wrong by any factor; one that has been right is far too small by a bad estimate at most.

    References:
        Schulman et al., Proximal policy optimization algorithms, 2017, the adaptive penalty; the
        same rule on the learning rate in rl_games and rsl_rl. Churn: Schaul et al., The phenomenon
        of policy churn, 2022.
    """
    amount, error = change.amount, change.error
    low, high = LOWEST_KL, HIGHEST_KL
    if change.is_churn:
        amount *= _CHURN_STEPS / max(1, n_steps)
        low, high = CHURN_BAND
    if math.isnan(amount) or math.isnan(error):
        return 1.0
    proven = amount if error == 0.0 else amount - _Z * error
    if proven > high:
        return STEP ** -(1 if change.is_churn else _steps(proven / high))
    possible = amount + _Z * error
    if possible < low:
        # A change of 0 does not say how far it is too small.
        is_measured = possible > 0.0 and not change.is_churn
        return STEP ** (min(most_up, _steps(math.sqrt(low / possible))) if is_measured else 1)
    return 1.0


def is_ruinous(change: PolicyChange) -> bool:
    """Return whether a lesson threw the policy away: KL > 0.1, by 3 standard errors if it has any.

    Churn has no such bound, and a change that is no number says nothing.
    """
    return not change.is_churn and change.amount - _Z * change.error > RUINOUS_KL


def factor_for_ratio(ratio: float) -> float:
    """Return by what the step size is to be multiplied for an update of this relative length.

    Ratio > 0.003 divides by 1.5, once more for each factor of 1.5 that it lies above, 4 times at
    most; ratio < 0.0005 multiplies by 1.5. Below, weights hardly leave where they began; above, the
    noise of single minibatches throws them about. The usual advice is 0.001; Adam's first steps are
    three times as long as its later ones, hence the room above. A ratio of 0 says that nothing was
    learned, and keeps the step size, as one does that is no number.

    Args:
        ratio: mean over the updates of a lesson of ‖θ' − θ‖ / ‖θ‖, ≥ 0.

    References:
        You et al., Large batch training of convolutional networks, 2017, for steps in proportion to
        the weights. Lyle et al., Normalization and effective learning rates in reinforcement
        learning, 2024, for why nothing else counts in networks that are normalised.
    """
    low, high = RATIO_BAND
    if math.isnan(ratio) or ratio == 0.0:
        return 1.0
    if ratio > high:
        return STEP ** -_steps((ratio / high) ** 2)
    return STEP if ratio < low else 1.0


def _steps(excess: float) -> int:
    # The comparison first: an infinite excess has no logarithm to round.
    if excess >= STEP ** (2 * MOST_STEPS):
        return MOST_STEPS
    return min(MOST_STEPS, 1 + math.floor(math.log(excess) / math.log(STEP**2)))
