"""Where a run stands: its scheduler, its evaluations, its best policies."""

from collections.abc import Mapping
from typing import Any, final

from optix_core.backoff_scheduler import (
    Evaluation,
    SchedulerState,
    decide,
    enter_watchdog,
    is_due,
    put_off,
    start_round,
)
from optix_core.best_policies import BestPolicies
from optix_core.decisions import Decision, Stop, StopReason
from optix_core.eval_metrics import EvalMetrics
from optix_core.loop_state import LoopState
from optix_core.metrics_history import MetricsHistory, metrics_from_state, metrics_state
from optix_core.plateau_test import PlateauProof, PlateauTest
from optix_core.promotion import SMOOTHING, Trial
from optix_core.scheduler_settings import SchedulerSettings
from optix_core.verdict import judge_convergence, never_rose

FIRST_EVALUATIONS = 5
"""What the best is held against when a run has to have risen."""


@final
class RoundBook:
    """Keeps the books of a run and of the round in progress; carries nothing out."""

    def __init__(
        self, settings: SchedulerSettings, bests: BestPolicies, plateau: PlateauTest | None = None
    ) -> None:
        """Open the first round at window 0; without a plateau test the count alone ends it."""
        self._settings = settings
        self.scheduler = start_round(settings, 0)
        """Where the round stands."""
        self.history = MetricsHistory()
        """Evaluations of the run."""
        self.bests = bests
        """The best policies of run and round."""
        self.recent: list[EvalMetrics] = []
        """The newest evaluations of the policy that learns, as many as promotion looks at."""
        self._first: list[EvalMetrics] = []
        self._plateau = plateau
        self._proof: PlateauProof | None = None

    @property
    def state(self) -> LoopState:
        """State of the loop."""
        return self.scheduler.state

    @property
    def first_score(self) -> float | None:
        """The first finite score; None where none of the first evaluations had one."""
        return next((m.primary_score for m in self._first if m.is_finite), None)

    @property
    def is_stuck(self) -> bool:
        """Whether nothing shows that the run ever rose above its first evaluations."""
        if self._proof is not None:
            return False
        best = self.bests.of_run
        return best is None or never_rose(self._first, best.eval_metrics, self.history.total)

    def is_due(self, window_id: int) -> bool:
        """Whether a window is to be evaluated, by the schedule or for the plateau test."""
        return is_due(self.scheduler, window_id) or self._is_missed(window_id)

    def put_off(self, window_id: int) -> None:
        """Move the evaluation that is due at this window, if one is, one window on."""
        if is_due(self.scheduler, window_id):
            self.scheduler = put_off(self.scheduler)

    def enter(self, metrics: EvalMetrics) -> None:
        """Take an evaluation into the history."""
        self.history.append(metrics)
        if len(self._first) < FIRST_EVALUATIONS:
            self._first.append(metrics)

    def decide(self, window_id: int, metrics: EvalMetrics, trial: Trial) -> tuple[Decision, ...]:
        """Take in an evaluation and what it amounts to; returns what to carry out, in order."""
        self._proof = self._seek_proof(window_id, metrics)
        evaluation = Evaluation(
            window_id=window_id,
            score=metrics.primary_score,
            is_better=trial.is_better,
            confirmed_score=trial.standing.metrics.primary_score,
            is_worse=trial.is_worse,
            is_plateau=self._proof is not None,
            is_due=is_due(self.scheduler, window_id),
        )
        self.scheduler, decisions = decide(self._settings, self.scheduler, evaluation)
        self.recent = [*self.recent, metrics][1 - SMOOTHING :]
        return decisions

    def forget_recent(self) -> None:
        """Forget the newest evaluations: the policy was replaced."""
        self.recent = []

    def begin_baseline(self, window_id: int) -> None:
        """Begin a round at a window, with a baseline of its own."""
        self.scheduler = start_round(self._settings, window_id)
        self.bests.begin_round()
        self.forget_recent()
        self._begin_evaluations()

    def go_on(self, window_id: int) -> None:
        """Begin a round with the same policy: what it has to beat stays."""
        self.scheduler = start_round(self._settings, window_id, self.scheduler.best_score)
        self._begin_evaluations()

    def watch(self, window_id: int) -> None:
        """Go on from DORMANT as a watchdog."""
        self.scheduler = enter_watchdog(self._settings, self.scheduler, window_id)
        self._begin_evaluations()

    def conclude(self) -> Stop:
        """Say what a run that has become DORMANT amounts to, and what showed it."""
        if self._proof is not None:
            return Stop(StopReason.CONVERGED, str(self._proof))
        n_idle = self.scheduler.n_without_improvement
        return judge_convergence(self._first, self.bests.of_run, self.history.total, n_idle)

    def state_dict(self) -> dict[str, Any]:
        """Return where the run stands."""
        return {
            "scheduler": self.scheduler.to_dict(),
            "history": self.history.state_dict(),
            "first": [metrics_state(metrics) for metrics in self._first],
            "recent": [metrics_state(metrics) for metrics in self.recent],
            "bests": self.bests.state_dict(),
            "plateau": None if self._plateau is None else self._plateau.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put back what `state_dict` returned.

        Raises:
            CheckpointError: if it is something else, or a best policy is not there.
        """
        self.scheduler = SchedulerState.from_dict(state["scheduler"])
        self.history.load_state_dict(state["history"])
        self._first = [metrics_from_state(kept) for kept in state["first"]]
        # Not in states that were written before promotion looked at more than one evaluation.
        self.recent = [metrics_from_state(kept) for kept in state.get("recent", ())]
        self.bests.load_state_dict(state["bests"])
        if self._plateau is not None and state["plateau"] is not None:
            self._plateau.load_state_dict(state["plateau"])

    def _seek_proof(self, window_id: int, metrics: EvalMetrics) -> PlateauProof | None:
        # A watchdog's policy does not learn: that its scores are flat proves nothing.
        if self._plateau is None or self.state is LoopState.WATCHDOG:
            return None
        return self._plateau.observe(metrics, window_id)

    def _is_missed(self, window_id: int) -> bool:
        # In other states the interval never grows, or nothing is to be proven.
        if self._plateau is None or self.state is not LoopState.COOLING:
            return False
        return self._plateau.is_blind(window_id, self._settings.base_interval)

    def _begin_evaluations(self) -> None:
        if self._plateau is not None:
            self._plateau.begin_round()
