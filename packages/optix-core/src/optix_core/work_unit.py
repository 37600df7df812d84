"""A piece of training that can be done anywhere: plain values in, plain values out."""

from dataclasses import dataclass
from typing import Any

from optix_core.errors import ConfigurationError
from optix_core.eval_metrics import EvalMetrics
from optix_core.mean_comparison import MIN_EPISODES


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkUnit:
    """Train a saved policy for some windows, then examine it on held-out episodes.

    What comes of it is a function of these values and of what the parent's name stands for, so it
    does not matter who does it, when, or in which process.

    Raises:
        ConfigurationError: if a number is out of its range.
    """

    parent: str
    """Snapshot that it begins with, of the store that all units of a run share."""
    hyperparams: dict[str, Any]
    """What to train with; they win over those that the parent was saved with."""
    seed: int
    """Where the training environment begins."""
    n_windows: int
    """Windows to learn from; 0 to examine the parent as it is."""
    exam_seed: int
    """What the held-out episodes are drawn from: units that share it are compared in pairs."""
    n_episodes: int = 8
    """Held-out episodes at least; ≥ 2. Or 0: the windows that it learns from, of which there must
    be one then, are what it is scored on, and not one step more is played."""
    exam_seeds: tuple[int, ...] | None = None
    """Seeds of the held-out episodes, one each, at least 2, where they are given one by one; None
    draws them from `exam_seed`."""

    def __post_init__(self) -> None:
        """Refuse what cannot be done."""
        is_scored_by_training = self.n_episodes == 0 and self.n_windows > 0
        n_episodes = 0 if is_scored_by_training else MIN_EPISODES
        least = {"seed": 0, "n_windows": 0, "exam_seed": 0, "n_episodes": n_episodes}
        for name, bound in least.items():
            if getattr(self, name) < bound:
                raise ConfigurationError(
                    f"{name} of a work unit must be at least {bound}, got {getattr(self, name)}"
                )
        if self.exam_seeds is not None and len(self.exam_seeds) < MIN_EPISODES:
            raise ConfigurationError(
                f"exam_seeds of a work unit must be at least {MIN_EPISODES}, got {self.exam_seeds}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitResult:
    """What came of a unit."""

    child: str
    """Snapshot at its end, there until it is released; the parent itself where nothing was
    trained."""
    hyperparams: dict[str, Any]
    """In force at its end, as read back: a step size may have been steered on the way."""
    metrics: EvalMetrics
    """Its score, on held-out episodes or in training, with the evaluator's evidence."""
    windows: int
    """Windows learned from."""
    steps: int
    """Environment steps of these."""
    exam_steps: int
    """Environment steps of the held-out episodes."""
    returns: tuple[float, ...] = ()
    """Returns of the episodes on `exam_seeds`, in their order; () where none were given."""
    skipped: int = 0
    """Windows of these that held what is not finite, and were not learned from."""


def untrained(unit: WorkUnit, metrics: EvalMetrics) -> UnitResult:
    """Return what a unit that trains nothing comes to where its score is known already."""
    return UnitResult(
        child=unit.parent,
        hyperparams=dict(unit.hyperparams),
        metrics=metrics,
        windows=0,
        steps=0,
        exam_steps=0,
    )
