"""The hyperparameters of SAC: names, defaults and ranges."""

from dataclasses import dataclass
from typing import ClassVar

from optix_tf.off_policy_settings import OffPolicySettings


@dataclass(frozen=True, slots=True, kw_only=True)
class SACSettings(OffPolicySettings):
    """Hyperparameters of SAC. The defaults are meant for every environment alike.

    Raises:
        HyperparamError: if a value is of the wrong type or out of range.
    """

    algorithm: ClassVar[str] = "SAC"

    target_entropy_per_action: float = -1.0
    """Entropy that the temperature is led by, of each component of an action from −1 to 1; at most
    log 2, that of a uniform one."""

    def __post_init__(self) -> None:
        """Check types and ranges."""
        super(SACSettings, self).__post_init__()
        self.check_numbers("target_entropy_per_action", low=-20.0, high=0.6931)
