"""One step of an optimizer, and how far it moved the weights."""

from collections.abc import Sequence
from typing import Any

from optix_tf._tensorflow import Optimizer, Tensor, tf
from optix_tf.reinforce_update import apply_finite


def apply_measured(
    optimizer: Optimizer, gradients: Sequence[Tensor | None], variables: Sequence[Any]
) -> dict[str, Tensor]:
    """Apply gradients if all are finite, inside a compiled function.

    Args:
        optimizer: with its slots built.
        gradients: one a variable; None where a variable has no part in the loss.
        variables: what they belong to.

    Returns:
        What `apply_finite` does, and `update_ratio` = ‖θ' − θ‖ / ‖θ‖ over all variables together: 0
        for an update that was refused, and where all weights are 0.
    """
    before = [tf.identity(variable) for variable in variables]
    applied = apply_finite(optimizer, gradients, variables)
    moves = [after - start for after, start in zip(variables, before, strict=True)]
    ratio = tf.math.divide_no_nan(tf.linalg.global_norm(moves), tf.linalg.global_norm(before))
    return {**applied, "update_ratio": ratio}
