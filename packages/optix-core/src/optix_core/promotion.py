"""Is an evaluation a new best? By fresh episodes where there is evidence, else by the score."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, final

from optix_core.base_agent import BaseAgent
from optix_core.environment_pipeline import draw_seeds
from optix_core.eval_metrics import EvalMetrics
from optix_core.mean_comparison import LEVEL, PROMOTION_LEVEL, MeanEvidence, pooled, welch_p
from optix_core.standing import Standing, detectable, p_better, pairs, restated
from optix_core.window_judge import WindowJudge

FRESH_EPISODES = 30
"""Episodes that confirm a trigger. Against as many of the incumbent's they prove a gain of 0.75 sd
with probability 0.8, of 0.5 sd with pairs that correlate by 0.6; `benchmarks/promotion.py` says
what that makes of a run."""
TRIGGER_Z = 1.28
"""A trigger lies above the incumbent by this many standard errors of the difference: the 90 %
quantile of the normal distribution, so that one in ten equal policies costs fresh episodes."""

SMOOTHING = 5
"""Evaluations whose mean decides where no fresh episodes can be played."""
SMOOTH_Z = 0.5
"""Such a mean lies above the incumbent's by this many standard errors of the difference. Of 1, 0.5
and 0 the larger lets fewer equal policies pass (1.2, 2.6 and 7.1 in 100 windows of five episodes)
and finds fewer gains of half a deviation (0.73, 0.88 and 0.97)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What an evaluation amounts to when it is held against the round's best."""

    standing: Standing
    """What the policy is held to score from here on, should it be saved."""
    is_better: bool
    """Whether it is the new best."""
    is_worse: bool = True
    """Whether nothing contradicts that a score far below the best is a worse policy."""
    is_contender: bool = False
    """Whether the score is better and the proof is missing: worth keeping for the final choice."""
    event: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Fields of the journal's `promotion`; empty where nothing was tried."""


@final
class Promotion:
    """Holds every evaluation against the round's best.

    Where the metrics of both carry evidence (`MeanEvidence.of`):

    1. The evaluator must prefer the window's score, by more than the margin.
    2. Trigger: s > s_inc + 1.28 · √(se² + se_inc²).
    3. Thirty fresh held-out episodes, on the seeds of every fresh sample of the run; promoted if
       the mean lies above the incumbent's fresh one by the margin and by a paired one-sided t test
       at 0.02 (Welch's where returns do not pair). That fresh mean is the best's score.

    The first evaluation of a round is its best, with a fresh sample. Without evidence, or with
    `confirm=False`, step 1 alone decides.

    Where no fresh episodes can be played, luck is smoothed away instead: the window's score and the
    mean of the last five evaluations together must both be preferred to the incumbent's, which is
    held to the mean of its own five, and that mean must lie above by half a standard error of the
    difference. Proof would be too much to ask. Windows of five episodes prove gains of a whole
    deviation alone, so a run that waits for proof hands back what was surpassed long ago, and is
    off by more luck besides (`benchmarks/promotion.py`).
    """

    def __init__(
        self, judge: WindowJudge, *, seed: int, margin: float, confirm: bool = True
    ) -> None:
        """Judge with this judge.

        Args:
            judge: compares scores and plays fresh episodes.
            seed: what the seeds of fresh episodes are drawn from.
            margin: by how much a score must exceed the best.
            confirm: whether evidence is asked for.
        """
        self._judge = judge
        self._seeds: Sequence[int] = draw_seeds(seed, FRESH_EPISODES)
        self._margin = margin
        self._confirm = confirm

    def is_better(self, candidate: Standing, incumbent: Standing | None) -> bool:
        """Whether one standing is above another, by all evidence there is; plays nothing."""
        if not self._is_preferred(candidate.metrics, incumbent):
            return False
        if incumbent is None or not self._confirm:
            return True
        p = p_better(candidate, incumbent) if self._judge.can_play_fresh else None
        return p is None or p < PROMOTION_LEVEL

    def hold(
        self,
        metrics: EvalMetrics,
        incumbent: Standing | None,
        recent: Sequence[EvalMetrics] = (),
        *,
        agent: BaseAgent,
    ) -> Trial:
        """Hold an evaluation against the round's best; may let the agent play fresh episodes.

        Args:
            metrics: of the window that was due.
            incumbent: the round's best; None before its first finite score.
            recent: evaluations of the same round before this one, the newest last.
            agent: whose policy it is; seated in the validation pipeline.
        """
        window = Standing(metrics)
        if incumbent is None:
            return self._begin(window, agent)
        preferred = self._is_preferred(metrics, incumbent)
        one, other = window.evidence, incumbent.evidence
        if not self._confirm or one is None or other is None:
            return Trial(standing=window, is_better=preferred)
        is_worse = welch_p(other, one) < LEVEL
        if not preferred:
            return Trial(standing=window, is_better=False, is_worse=is_worse)
        if not self._judge.can_play_fresh:
            return replace(self._smooth(metrics, incumbent, recent), is_worse=is_worse)
        if not is_trigger(one, other):
            return Trial(standing=window, is_better=False, is_worse=is_worse, is_contender=True)
        return replace(self._try(window, incumbent, agent), is_worse=is_worse)

    def _begin(self, window: Standing, agent: BaseAgent) -> Trial:
        if not self._confirm or window.evidence is None:
            return Trial(standing=window, is_better=True)
        fresh = self._play(window.metrics, agent)
        event = {} if fresh is None else _event(window, fresh, None, is_promoted=True)
        return Trial(standing=fresh or window, is_better=True, event=event)

    def _try(self, window: Standing, incumbent: Standing, agent: BaseAgent) -> Trial:
        fresh = self._play(window.metrics, agent)
        candidate = fresh or window
        is_promoted = self.is_better(candidate, incumbent)
        return Trial(
            standing=candidate,
            is_better=is_promoted,
            is_contender=fresh is not None and not is_promoted,
            event=_event(window, candidate, incumbent, is_promoted=is_promoted),
        )

    def _smooth(
        self, metrics: EvalMetrics, incumbent: Standing, recent: Sequence[EvalMetrics]
    ) -> Trial:
        window, standing = Standing(metrics), smoothed([*recent, metrics])
        one, other = standing.evidence, incumbent.evidence
        stands_out = one is not None and other is not None and is_trigger(one, other, SMOOTH_Z)
        is_promoted = stands_out and self.is_better(standing, incumbent)
        event = _event(window, window, incumbent, is_promoted=is_promoted)
        return Trial(
            standing=standing,
            is_better=is_promoted,
            event={**event, "smoothed_score": standing.metrics.primary_score},
        )

    def _play(self, metrics: EvalMetrics, agent: BaseAgent) -> Standing | None:
        if not self._judge.can_play_fresh:
            return None
        (fresh,) = self._judge.play_fresh([agent], self._seeds)
        return None if fresh is None else restated(metrics, fresh)

    def _is_preferred(self, metrics: EvalMetrics, incumbent: Standing | None) -> bool:
        baseline = None if incumbent is None else incumbent.metrics
        return self._judge.is_better(metrics, baseline, self._margin)


def smoothed(evaluations: Sequence[EvalMetrics]) -> Standing:
    """What the last `SMOOTHING` evaluations together say of the policy that earned the newest.

    Args:
        evaluations: oldest first; the newest has evidence, others without are left out.
    """
    newest = evaluations[-1]
    samples = [MeanEvidence.of(each) for each in evaluations[-SMOOTHING:]]
    known = [sample for sample in samples if sample is not None]
    if len(known) <= 1:
        return Standing(newest)
    together = pooled(known)
    evidence = {"n_episodes": together.n, "score_se": together.se}
    return restated(newest, Standing(EvalMetrics(together.mean, {**evidence})))


def is_trigger(candidate: MeanEvidence, incumbent: MeanEvidence, z: float = TRIGGER_Z) -> bool:
    """Whether a score lies above another by z standard errors of the difference."""
    return candidate.mean > incumbent.mean + z * math.hypot(candidate.se, incumbent.se)


def _event(
    window: Standing, candidate: Standing, incumbent: Standing | None, *, is_promoted: bool
) -> dict[str, Any]:
    is_fresh = candidate is not window
    return {
        "score": window.metrics.primary_score,
        "fresh_score": candidate.metrics.primary_score if is_fresh else None,
        "fresh_se": candidate.metrics.score_se if is_fresh else None,
        "fresh_episodes": candidate.metrics.n_episodes if is_fresh else 0,
        "best_score": None if incumbent is None else incumbent.metrics.primary_score,
        "p": None if incumbent is None else p_better(candidate, incumbent),
        "paired": incumbent is not None and pairs(candidate, incumbent),
        "detectable": None if incumbent is None else detectable(candidate, incumbent),
        "promoted": is_promoted,
    }
