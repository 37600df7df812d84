"""A policy as it was saved: weights, hyperparameters and the score that they earned."""

from dataclasses import dataclass

from optix_core.eval_metrics import EvalMetrics
from optix_core.hyperparam_set import HyperparamSet


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySnapshot:
    """A saved policy, as the registry lists it."""

    snapshot_id: str
    """Opaque and unique."""
    sequence: int
    """Place in the order of saving within its directory; never a clock."""
    run_id: int
    """Number of the run within its directory that saved this."""
    eval_metrics: EvalMetrics
    """What these very weights scored."""
    hyperparams: HyperparamSet
    """What these weights were trained with."""
    weights_path: str
    """What `load_weights` takes. Made when the directory is read, never stored."""
    episode_id: int
    """Number of the window that was scored."""
