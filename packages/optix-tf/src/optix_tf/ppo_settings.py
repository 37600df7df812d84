"""The hyperparameters of PPO: names, defaults and ranges."""

from dataclasses import dataclass
from typing import ClassVar

from optix_tf.agent_settings import AgentSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class PPOSettings(AgentSettings):
    """Hyperparameters of PPO. The defaults are meant for every environment alike.

    They are made for windows of about 1,000 steps of several environments (8 × 128).

    Raises:
        HyperparamError: if a value is of the wrong type or out of range.
    """

    algorithm: ClassVar[str] = "PPO"

    learning_rate: float = 1e-3
    """Step size of the optimizer, > 0."""
    gamma: float = 0.99
    """Discount, in [0, 1]."""
    gae_lambda: float = 0.95
    """Trace decay of the advantage estimate, in [0, 1]."""
    clip_ratio: float = 0.2
    """How far the probability ratio may go from 1 and still gain, > 0."""
    entropy_coeff: float = 0.01
    """Weight of the entropy bonus, ≥ 0."""
    value_coeff: float = 0.5
    """Weight of the value loss, ≥ 0."""
    max_grad_norm: float = 0.5
    """Gradients are scaled down to this norm, > 0."""
    n_epochs: int = 10
    """Passes over a window, ≥ 1."""
    minibatch_size: int = 256
    """Steps per update, ≥ 1."""
    target_kl: float | None = 0.02
    """Passes end early when the estimated divergence exceeds 1.5 times this; None for never."""

    def __post_init__(self) -> None:
        """Check types and ranges."""
        self.check_numbers("learning_rate", "clip_ratio", "max_grad_norm", low=0.0, is_open=True)
        self.check_numbers("entropy_coeff", "value_coeff", low=0.0)
        self.check_numbers("gamma", "gae_lambda", low=0.0, high=1.0)
        self.check_integers("n_epochs", "minibatch_size", low=1)
        if self.target_kl is not None:
            self.check_numbers("target_kl", low=0.0, is_open=True)
