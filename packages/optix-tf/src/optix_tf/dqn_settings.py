"""The hyperparameters of DQN: names, defaults and ranges."""

from dataclasses import dataclass
from typing import ClassVar

from optix_tf.off_policy_settings import OffPolicySettings


@dataclass(frozen=True, slots=True, kw_only=True)
class DQNSettings(OffPolicySettings):
    """Hyperparameters of DQN. The defaults are meant for every environment alike.

    Raises:
        HyperparamError: if a value is of the wrong type or out of range.
    """

    algorithm: ClassVar[str] = "DQN"

    learning_rate: float = 5e-4
    """Step size of the optimizer, > 0."""
    n_steps: int = 3
    """Steps of a transition, ≥ 1."""
    tau: float = 0.02
    """Share of the way to the online weights that target weights go at each update, in (0, 1]."""
    batch_size: int = 128
    """Transitions per update, ≥ 1."""
    updates_per_step: float = 0.5
    """Updates for each step after the warm-up, > 0."""
    epsilon_start: float = 1.0
    """Share of random actions after the warm-up, in [0, 1]."""
    epsilon_end: float = 0.05
    """Share of random actions in the long run, in [0, 1]."""
    exploration_steps: int = 10_000
    """Steps after the warm-up over which the share falls from start to end, in a line, ≥ 1."""
    max_grad_norm: float = 10.0
    """Gradients are scaled down to this norm, > 0."""
    is_double: bool = True
    """Whether the online network chooses the action that the target network values."""

    def __post_init__(self) -> None:
        """Check types and ranges."""
        super(DQNSettings, self).__post_init__()
        self.check_numbers("epsilon_start", "epsilon_end", low=0.0, high=1.0)
        self.check_integers("exploration_steps", low=1)
        self.check_numbers("max_grad_norm", low=0.0, is_open=True)
        self.check_flags("is_double")

    def epsilon(self, steps: int) -> float:
        """Share of random actions after this many steps: 1 in the warm-up, then a falling line."""
        after = steps - self.warmup_steps
        if after < 0:
            return 1.0
        done = min(1.0, after / self.exploration_steps)
        return self.epsilon_start + done * (self.epsilon_end - self.epsilon_start)
