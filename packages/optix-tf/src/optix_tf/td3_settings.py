"""The hyperparameters of TD3 and DDPG: names, defaults and ranges."""

from dataclasses import dataclass
from typing import ClassVar

from optix_tf.off_policy_settings import OffPolicySettings


@dataclass(frozen=True, slots=True, kw_only=True)
class TD3Settings(OffPolicySettings):
    """Hyperparameters of TD3. The defaults are meant for every environment alike.

    DDPG is `is_twin=False, policy_delay=1, target_noise=0.0`.

    Raises:
        HyperparamError: if a value is of the wrong type or out of range.
    """

    algorithm: ClassVar[str] = "TD3"

    exploration_noise: float = 0.1
    """Standard deviation of what is added to actions from −1 to 1, ≥ 0."""
    policy_delay: int = 2
    """Updates of the critics for one of the actor and the targets, ≥ 1."""
    target_noise: float = 0.2
    """Standard deviation of what is added to the action whose value is bootstrapped, ≥ 0."""
    target_noise_limit: float = 0.5
    """Most that is added to it, ≥ 0."""
    is_twin: bool = True
    """Whether the lesser of both critics' values is bootstrapped, or the first one's."""

    def __post_init__(self) -> None:
        """Check types and ranges."""
        super(TD3Settings, self).__post_init__()
        self.check_numbers("exploration_noise", "target_noise", "target_noise_limit", low=0.0)
        self.check_integers("policy_delay", low=1)
        self.check_flags("is_twin")
