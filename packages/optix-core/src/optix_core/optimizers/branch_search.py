"""What tuners that search on branches alone, until they are over, have in common."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from optix_core.base_optimizer import BaseOptimizer
from optix_core.branching import Branches
from optix_core.domain import Domain
from optix_core.errors import ConfigurationError
from optix_core.eval_metrics import EvalMetrics
from optix_core.generator_state import generator_from_state, generator_state
from optix_core.hyperparam_set import HyperparamSet
from optix_core.hyperparam_space import HyperparamSpace


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchState:
    """What every search's state ends with; a subclass names the rest."""

    is_over: bool
    is_void: bool
    inferred: dict[str, str]
    rng: dict[str, Any]


class BranchSearch(BaseOptimizer):
    """Tries hyperparameters out on branches, a step at a time; it suggests none to the learner.

    A rollback or a new round makes void what is being tried: the next step begins anew, from the
    learner as it is then. Once the search is over its steps do nothing.
    """

    def __init__(
        self, param_bounds: Mapping[str, tuple[float, float]] | None, *, seed: int | None
    ) -> None:
        """Search within bounds by name, with a generator of its own until `set_rng`.

        Raises:
            ConfigurationError: if a bound is not (low, high), or the seed is negative.
        """
        if seed is not None and seed < 0:
            raise ConfigurationError(f"seed cannot be negative, got {seed}")
        self._space = HyperparamSpace(param_bounds)
        self._rng = np.random.default_rng(seed)
        self._is_over = self._is_void = False

    @abstractmethod
    def held(self) -> list[str]:
        """Return the snapshots that are held, each as often as it is."""

    @abstractmethod
    def _drop(self, branches: Branches) -> None:
        """Release what is held and forget what was tried."""

    @abstractmethod
    def _go_on(self, branches: Branches, history: Sequence[EvalMetrics]) -> None:
        """Take the next step of the search, or end it."""

    @property
    def is_branching(self) -> bool:
        """True."""
        return True

    def set_domains(self, domains: Mapping[str, Domain]) -> None:
        """Take what the agent declares; see `HyperparamSpace`."""
        self._space.declare(domains)

    def set_rng(self, rng: np.random.Generator) -> None:
        """Draw from this generator instead of the one of its own."""
        self._rng = rng

    def suggest(
        self,
        current_hyperparams: HyperparamSet,
        metrics_history: Sequence[EvalMetrics],  # noqa: ARG002 - the contract's
    ) -> HyperparamSet:
        """Return the hyperparameters as they are: branches train with theirs."""
        return current_hyperparams.copy()

    def on_restart(self) -> None:
        """Begin anew at the next step, from the learner as it is then."""
        self._is_void = True

    def step(
        self,
        branches: Branches,
        history: Sequence[EvalMetrics],
    ) -> None:
        """Go on with the search, unless it is over.

        Args:
            branches: of the run.
            history: evaluations of the learner, oldest first.
        """
        if self._is_void:
            self._drop(branches)
            self._is_over = self._is_void = False
        if not self._is_over:
            self._go_on(branches, history)

    def state_dict(self) -> dict[str, Any]:
        """Return whether the search is over or void, the inferred domains, and the generator."""
        return {
            "is_over": self._is_over,
            "is_void": self._is_void,
            "inferred": self._space.state_dict(),
            "rng": generator_state(self._rng),
        }

    def _restore(self, loaded: SearchState) -> None:
        """Put back what this class's `state_dict` returned.

        Raises:
            CheckpointCorruptError: if it is something else; then nothing was changed.
        """
        rng = generator_from_state(loaded.rng)
        self._space.load_state_dict(loaded.inferred)
        self._rng = rng
        self._is_over, self._is_void = loaded.is_over, loaded.is_void
