"""The contract of a hyperparameter optimizer."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import numpy as np

from optix_core.domain import Domain
from optix_core.eval_metrics import EvalMetrics
from optix_core.hyperparam_set import HyperparamSet


class BaseOptimizer(ABC):
    """Suggests hyperparameters while training goes on; called at evaluations alone."""

    @abstractmethod
    def suggest(
        self, current_hyperparams: HyperparamSet, metrics_history: Sequence[EvalMetrics]
    ) -> HyperparamSet:
        """Return the hyperparameters to train with next.

        Args:
            current_hyperparams: in force now; they earned the last score of the history.
            metrics_history: evaluations so far, oldest first.
        """

    def on_improvement(self, metrics: EvalMetrics) -> None:
        """Hear of an improvement, before `suggest`."""

    def on_plateau(self, metrics_history: Sequence[EvalMetrics]) -> None:
        """Hear of an evaluation without improvement on a plateau, before `suggest`."""

    def on_restart(self) -> None:
        """Hear of a rollback or a new round: whatever was being tried is void."""

    def set_domains(self, domains: Mapping[str, Domain]) -> None:
        """Hear what the agent declares of its hyperparameters, once, before the first `suggest`."""

    def set_rng(self, rng: np.random.Generator) -> None:
        """Draw random numbers from this generator, given once, before the first `suggest`."""
