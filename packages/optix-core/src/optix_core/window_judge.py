"""Makes the score of an evaluation: gathers evidence, plays validation, asks the evaluator."""

import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from optix_core.abilities import HasState, PlaysEpisodes, supports
from optix_core.base_agent import BaseAgent
from optix_core.base_evaluator import BaseEvaluator
from optix_core.base_pipeline import BasePipeline
from optix_core.episode_data import EpisodeData
from optix_core.errors import PipelineError
from optix_core.eval_metrics import EvalMetrics
from optix_core.examination import Exam, checked
from optix_core.finite_check import count_non_finite
from optix_core.mean_comparison import MIN_EPISODES
from optix_core.standing import Standing

logger = logging.getLogger(__name__)

Examine = Callable[[Iterable[BaseAgent], Sequence[int]], Sequence[Exam]]
"""Lets policies play one held-out episode a seed, each on the same ones."""


class WindowJudge:
    """Turns windows into evaluations.

    A score that rests on fewer than two episodes is put off to the next window, which adds its
    own. Where `drought_limit` windows in a row end no episode, the window becomes the unit for
    the rest of the run. A pipeline whose windows are the unit says so in their metadata; a partial
    one of these, whose reward is only a part, is learned from and not scored.
    """

    def __init__(
        self,
        evaluator: BaseEvaluator,
        val_pipeline: BasePipeline | None,
        drought_limit: int,
        *,
        examine_seated: Examine | None = None,
        examine: Examine | None = None,
    ) -> None:
        """Judge with this evaluator, on held-out windows of this pipeline if there is one.

        Args:
            evaluator: makes the scores.
            val_pipeline: plays held-out windows.
            drought_limit: windows in a row without an end of an episode that are put up with.
            examine_seated: lets who is seated in the validation pipeline play fresh episodes; None
                plays none.
            examine: lets policies of the run play them elsewhere; None lets them play here.
        """
        self._examine_seated = examine_seated
        self._examine = examine or examine_seated
        self._evaluator = evaluator
        self._val_pipeline = val_pipeline
        self._val_windows: Iterator[EpisodeData] | None = None
        self._training = _Evidence("training", drought_limit)
        self._validation = _Evidence("validation", drought_limit)
        self.validation_steps = 0

    @property
    def evaluator(self) -> BaseEvaluator:
        """Who makes the scores."""
        return self._evaluator

    def observe(self, window: EpisodeData) -> EpisodeData:
        """Take note of a training window, evaluated or not; returns it with its evidence."""
        return self._training.add(window)

    def evaluate(self, window: EpisodeData, diagnostics: Mapping[str, Any]) -> EvalMetrics | None:
        """Score an observed window; None where the decision has to be put off."""
        if window.partial and _is_unit(window):
            return None
        train = checked(self._evaluator.score(window, dict(diagnostics)), "score")
        if _is_thin(train):
            return None
        metrics = train
        if self._val_pipeline is not None:
            held_out = self._validation.add(self._play_validation(self._val_pipeline))
            val = checked(self._evaluator.score_validation(held_out), "score_validation")
            if _is_thin(val):
                return None
            if count_non_finite(held_out):
                # An episode that was cut off for it might score well for that very reason.
                val = EvalMetrics(math.nan, val.metrics, val.episode_id)
            metrics = checked(self._evaluator.combine(train, val), "combine")
        self.forget()
        return metrics

    def is_better(
        self, candidate: EvalMetrics, baseline: EvalMetrics | None, margin: float
    ) -> bool:
        """Whether the evaluator prefers the candidate, and its score by more than the margin.

        Scores of different units cannot be compared: the newer unit wins.
        """
        if not candidate.is_finite:
            return False
        if baseline is None or baseline.metrics.get("unit") != candidate.metrics.get("unit"):
            return True
        return bool(self._evaluator.compare(candidate, baseline)) and (
            margin == 0.0 or candidate.beats(baseline, margin)
        )

    @property
    def can_play_fresh(self) -> bool:
        """Whether the validation pipeline can play episodes beside its own windows."""
        can_examine = self._examine_seated is not None
        return can_examine and supports(self._val_pipeline, PlaysEpisodes)

    def seat(self, agent: BaseAgent) -> None:
        """Let an agent play held-out episodes; whoever trains stays."""
        if self._val_pipeline is not None:
            self._val_pipeline.set_agent(agent)

    def play_fresh(
        self, policies: Iterable[BaseAgent], seeds: Sequence[int]
    ) -> list[Standing | None]:
        """Let policies play held-out episodes on these seeds, where these `can_play_fresh`.

        Args:
            policies: the agent that is seated, as it is when it is a policy's turn.
            seeds: one an episode.

        Returns:
            The evaluator's score of each, with the returns where that score is their mean; None
            where it is without usable evidence.
        """
        return self._standings(self._examine, policies, seeds)

    def play_here(self, agent: BaseAgent, seeds: Sequence[int]) -> Standing | None:
        """Let any policy play such episodes in the run's own pipeline, where it can play them.

        Whoever examines elsewhere does so with an agent like the run's, and can be no other.

        Args:
            agent: takes the seat in the validation pipeline.
            seeds: one an episode.
        """
        self.seat(agent)
        return next(iter(self._standings(self._examine_seated, [agent], seeds)), None)

    def take_unit_change(self) -> bool:
        """Whether the unit of the score changed since this was last asked."""
        changes = [evidence.take_change() for evidence in (self._training, self._validation)]
        return any(changes)

    def forget(self) -> None:
        """Begin to gather evidence anew: a decision was taken, or the policy was replaced."""
        self._training.clear()
        self._validation.clear()

    def state_dict(self) -> dict[str, Any]:
        """Return the evidence gathered since the last decision, and the evaluator's own state."""
        own = self._evaluator
        return {
            "evaluator": own.state_dict() if supports(own, HasState) else None,
            "training": self._training.state_dict(),
            "validation": self._validation.state_dict(),
            "validation_steps": self.validation_steps,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put back what `state_dict` returned."""
        if supports(self._evaluator, HasState) and state["evaluator"] is not None:
            self._evaluator.load_state_dict(state["evaluator"])
        self._training.load_state_dict(state["training"])
        self._validation.load_state_dict(state["validation"])
        self.validation_steps = state["validation_steps"]

    def _standings(
        self, examine: Examine | None, policies: Iterable[BaseAgent], seeds: Sequence[int]
    ) -> list[Standing | None]:
        if examine is None or not self.can_play_fresh:
            return []
        exams = examine(policies, seeds)
        self.validation_steps += sum(exam.steps for exam in exams)
        return [Standing.of_episodes(exam.metrics, exam.returns) for exam in exams]

    def _play_validation(self, pipeline: BasePipeline) -> EpisodeData:
        if self._val_windows is None:
            self._val_windows = iter(pipeline.episodes())
        window = next(self._val_windows, None)
        if window is None:
            self._val_windows = iter(pipeline.episodes())
            window = next(self._val_windows, None)
        if window is None:
            raise PipelineError("the validation pipeline yields no window; give one that does")
        self.validation_steps += window.length
        return window


class _Evidence:
    """Returns of the episodes that ended since the last decision."""

    def __init__(self, source: str, drought_limit: int) -> None:
        self._source = source
        self._drought_limit = drought_limit
        self._returns: list[float] = []
        self._windows_without_end = 0
        self._unit_is_window = False
        self._has_said_unit = False
        self._changed = False

    def add(self, window: EpisodeData) -> EpisodeData:
        """Add a window's episodes; returns the window with all evidence so far."""
        ended = window.episode_returns
        self._returns.extend(ended.tolist())
        is_unit = self._is_own_unit(window)
        self._windows_without_end = 0 if len(ended) or is_unit else self._windows_without_end + 1
        if not self._unit_is_window and self._windows_without_end >= self._drought_limit:
            self._use_windows()
        metadata = (
            {**window.metadata, "unit": "window"} if self._unit_is_window else window.metadata
        )
        returns = np.array(self._returns, dtype=np.float64)
        return replace(window, returns_since_decision=returns, metadata=metadata)

    def take_change(self) -> bool:
        """Whether windows became the unit since this was last asked."""
        changed, self._changed = self._changed, False
        return changed

    def clear(self) -> None:
        """Forget the episodes, not the drought."""
        self._returns.clear()

    def _is_own_unit(self, window: EpisodeData) -> bool:
        is_unit = _is_unit(window)
        if is_unit and not self._has_said_unit:
            self._has_said_unit = True
            logger.info("%s windows are the unit: the score is a window's reward", self._source)
        return is_unit

    def state_dict(self) -> dict[str, Any]:
        """Return the episodes and the drought."""
        return {
            "returns": np.array(self._returns, dtype=np.float64),
            "windows_without_end": self._windows_without_end,
            "unit_is_window": self._unit_is_window,
            "changed": self._changed,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put back what `state_dict` returned."""
        self._returns = state["returns"].tolist()
        self._windows_without_end = state["windows_without_end"]
        self._unit_is_window = state["unit_is_window"]
        self._changed = state["changed"]

    def _use_windows(self) -> None:
        self._unit_is_window = self._changed = True
        logger.warning(
            "no episode ended in %d %s windows in a row: from here on the score is the window's "
            "total reward; give longer windows, or an environment with a time limit",
            self._drought_limit,
            self._source,
        )


def _is_unit(window: EpisodeData) -> bool:
    return window.metadata.get("unit") == "window"


def _is_thin(metrics: EvalMetrics) -> bool:
    count = metrics.n_episodes
    return count is not None and count < MIN_EPISODES
