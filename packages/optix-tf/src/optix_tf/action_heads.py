"""The policy head of an action space."""

from optix_core.errors import ConfigurationError
from optix_tf.categorical_head import BernoulliHead, CategoricalHead, MultiCategoricalHead
from optix_tf.gaussian_head import GaussianHead
from optix_tf.policy_head import PolicyHead
from optix_tf.spaces import BoxSpace, DiscreteSpace, MultiBinarySpace, MultiDiscreteSpace


def head_of(action_space: object, *, log_std: float) -> PolicyHead:
    """Make the head of an action space.

    Args:
        action_space: Box, Discrete, MultiDiscrete or MultiBinary, by Gymnasium's attributes.
        log_std: initial logarithm of a Gaussian's standard deviation.

    Raises:
        ConfigurationError: if it is another one.
    """
    match action_space:
        case BoxSpace():
            return GaussianHead(action_space.low, action_space.high, action_space.dtype, log_std)
        case MultiDiscreteSpace():
            return MultiCategoricalHead(action_space.nvec)
        case DiscreteSpace():
            return CategoricalHead(int(action_space.n), int(action_space.start))
        case MultiBinarySpace():
            return BernoulliHead(tuple(action_space.shape))
        case _:
            raise ConfigurationError(
                f"actions of {action_space!r} cannot be played here; PPOAgent plays Box, "
                "Discrete, MultiDiscrete and MultiBinary spaces"
            )
