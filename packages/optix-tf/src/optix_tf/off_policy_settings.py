"""The hyperparameters that all agents with a replay memory share."""

from dataclasses import dataclass

from optix_tf.agent_settings import AgentSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class OffPolicySettings(AgentSettings):
    """Hyperparameters of learning from a replay memory.

    Raises:
        HyperparamError: if a value is of the wrong type or out of range.
    """

    learning_rate: float = 1e-3
    """Step size of the optimizer, > 0."""
    gamma: float = 0.99
    """Discount, in [0, 1]; it is part of a transition's return when that is remembered."""
    n_steps: int = 1
    """Steps of a transition, ≥ 1."""
    tau: float = 0.005
    """Share of the way to the online weights that target weights go at each update, in (0, 1]."""
    batch_size: int = 256
    """Transitions per update, ≥ 1."""
    buffer_size: int = 100_000
    """Transitions that are remembered, ≥ 1; fixed once there are some."""
    warmup_steps: int = 1_000
    """Steps with random actions before the first update, ≥ 1."""
    updates_per_step: float = 1.0
    """Updates for each step after that, > 0."""
    is_prioritised: bool = False
    """Whether transitions are drawn by the size of their last error; fixed once there are some."""

    def __post_init__(self) -> None:
        """Check types and ranges."""
        self.check_numbers("learning_rate", "updates_per_step", low=0.0, is_open=True)
        self.check_numbers("gamma", low=0.0, high=1.0)
        self.check_numbers("tau", low=0.0, high=1.0, is_open=True)
        self.check_integers("n_steps", "batch_size", "buffer_size", "warmup_steps", low=1)
        self.check_flags("is_prioritised")
