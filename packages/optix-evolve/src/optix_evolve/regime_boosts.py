"""Boosts the member that suits the regime of the moment."""

from collections.abc import Mapping, Sequence
from typing import Any, final

from optix_core import BaseAgent, EvalMetrics
from optix_core.errors import ConfigurationError
from optix_evolve.ensemble import Ensemble
from optix_evolve.regime_detector import RegimeDetector
from optix_evolve.score_weights import mean_score

_BOOST = "regime"
_KEPT = 64


@final
class RegimeBoosts:
    """Detects the regime at every evaluation and moves one named boost to the member for it.

    Who is for which regime the user says; otherwise it is the member whose scores in that regime,
    the newest 64, have the highest mean.

    Raises:
        ConfigurationError: if the factor is not positive and finite.
    """

    def __init__(
        self,
        ensemble: Ensemble,
        detector: RegimeDetector | None,
        agents: Mapping[str, BaseAgent] | None,
        factor: float,
    ) -> None:
        if not 0.0 < factor < float("inf"):
            raise ConfigurationError(f"regime_boost must be positive and finite, got {factor}")
        self._ensemble = ensemble
        self._detector = detector
        self._agents = agents
        self._factor = factor
        self._scores: dict[tuple[str, int], list[float]] = {}

    def observe(self, history: Sequence[EvalMetrics], position: int | None, score: float) -> None:
        """Note the score of the member at a position, and boost for the regime of now."""
        if self._detector is None:
            return
        regime = self._detector.detect(history)
        self._ensemble.regime = regime
        if position is not None:
            key = (regime, self._ensemble.population[position].member_id)
            self._scores[key] = [*self._scores.get(key, [])[1 - _KEPT :], score]
        chosen = self._chosen(regime)
        for member in self._ensemble.population:
            member.boost(self._factor if member.agent is chosen else 1.0, _BOOST)

    def state_dict(self) -> dict[str, Any]:
        """Return who scored what in which regime."""
        return {"scores": [[*key, scores] for key, scores in self._scores.items()]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put back what `state_dict` returned."""
        self._scores = {
            (regime, member_id): list(scores) for regime, member_id, scores in state["scores"]
        }

    def _chosen(self, regime: str) -> BaseAgent | None:
        if self._agents is not None:
            return self._agents.get(regime)
        known = [
            (mean_score(scores), member.agent)
            for member in self._ensemble.population
            if (scores := self._scores.get((regime, member.member_id)))
        ]
        return max(known, key=lambda pair: pair[0])[1] if known else None
