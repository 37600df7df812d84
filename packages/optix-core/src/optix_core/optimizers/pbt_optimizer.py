"""Population-based training with a population made of one run's past."""

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, final

import numpy as np

from optix_core.base_optimizer import BaseOptimizer
from optix_core.component_state import read_state
from optix_core.domain import Domain
from optix_core.domain_arithmetic import explore, fit
from optix_core.domain_inference import as_python
from optix_core.errors import ConfigurationError
from optix_core.eval_metrics import EvalMetrics
from optix_core.generator_state import generator_from_state, generator_state
from optix_core.hyperparam_set import HyperparamSet
from optix_core.hyperparam_space import HyperparamSpace

_MIN_HISTORY = 5
_MAX_HISTORY = 256
_NOISE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    params: dict[str, float]
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    history: list[_Entry]
    inferred: dict[str, str]
    rng: dict[str, Any]


@final
class PBTOptimizer(BaseOptimizer):
    """Takes over what scored among the best fifth when it scores among the worst, else explores.

    Every evaluation enters (hyperparameters, score) in a history of the last 256. From n ≥ 5
    entries on, a score among the lowest max(1, ⌊n/5⌋) exploits: the values of one of the
    max(1, ⌊n/5⌋) best entries, drawn uniformly, the newer first where scores tie. A score that
    ties with more entries than that is not among the lowest, so that a constant score explores.
    Otherwise each parameter explores: θ + 0.1 (high − low) N(0, 1) between bounds, on a log scale
    in logarithms, else θ (1 + 0.1 N(0, 1)); types and domains are kept.

    A score that is NaN or infinite enters nothing and counts as the lowest: it exploits from five
    entries on and changes nothing before.

    Raises:
        ConfigurationError: if a bound is not (low, high), or the seed is negative.
    """

    def __init__(
        self,
        param_bounds: Mapping[str, tuple[float, float]] | None = None,
        *,
        seed: int | None = None,
    ) -> None:
        """Take bounds by name, (low, high) inclusive, and a seed of its own until `set_rng`."""
        if seed is not None and seed < 0:
            raise ConfigurationError(f"seed cannot be negative, got {seed}")
        self._space = HyperparamSpace(param_bounds)
        self._rng = np.random.default_rng(seed)
        self._history: deque[_Entry] = deque(maxlen=_MAX_HISTORY)

    @property
    def n_entries(self) -> int:
        """How many evaluations the history holds."""
        return len(self._history)

    def set_domains(self, domains: Mapping[str, Domain]) -> None:
        """Take what the agent declares; see `HyperparamSpace`."""
        self._space.declare(domains)

    def set_rng(self, rng: np.random.Generator) -> None:
        """Draw from this generator instead of the one of its own."""
        self._rng = rng

    def suggest(
        self, current_hyperparams: HyperparamSet, metrics_history: Sequence[EvalMetrics]
    ) -> HyperparamSet:
        """Enter the last score in the history, then exploit or explore.

        Args:
            current_hyperparams: as read back from the agent; they earned the last score.
            metrics_history: evaluations, oldest first; empty means no score.

        Returns:
            A copy with tunable values changed.
        """
        suggested = current_hyperparams.copy()
        score = metrics_history[-1].primary_score if metrics_history else math.nan
        domains = self._space.tunable(suggested.params)
        if math.isfinite(score):
            values = {name: as_python(suggested.params[name]) for name in domains}
            self._history.append(_Entry(params=values, score=score))
        if self._is_among_lowest(score):
            self._exploit(suggested.params, domains)
        elif math.isfinite(score):
            self._explore(suggested.params, domains)
        return suggested

    def state_dict(self) -> dict[str, Any]:
        """Return the history and the state of the generator."""
        return {
            "history": [asdict(entry) for entry in self._history],
            "inferred": self._space.state_dict(),
            "rng": generator_state(self._rng),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put back what `state_dict` returned.

        Raises:
            CheckpointCorruptError: if it is something else.
        """
        loaded = read_state(_State, state, what="state of PBTOptimizer")
        rng = generator_from_state(loaded.rng)
        self._space.load_state_dict(loaded.inferred)
        self._rng = rng
        self._history = deque(loaded.history, maxlen=_MAX_HISTORY)

    def _is_among_lowest(self, score: float) -> bool:
        if len(self._history) < _MIN_HISTORY:
            return False
        if not math.isfinite(score):
            return True
        return sum(entry.score <= score for entry in self._history) <= self._fifth

    @property
    def _fifth(self) -> int:
        return max(1, len(self._history) // 5)

    def _exploit(self, params: dict[str, Any], domains: Mapping[str, Domain]) -> None:
        newest_first = reversed(self._history)
        best_first = sorted(newest_first, key=lambda entry: entry.score, reverse=True)
        chosen = best_first[int(self._rng.integers(self._fifth))]
        for name in domains.keys() & chosen.params.keys():
            params[name] = fit(domains[name], params[name], chosen.params[name])

    def _explore(self, params: dict[str, Any], domains: Mapping[str, Domain]) -> None:
        for name, domain in domains.items():
            params[name] = explore(domain, params[name], _NOISE, self._rng)
