"""What every evaluator must do, as tests to inherit."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from optix_core.base_evaluator import BaseEvaluator
from optix_core.episode_data import EpisodeData
from optix_core.eval_metrics import EvalMetrics


class EvaluatorContract(ABC):
    """Inherit, implement `make_evaluator`, and let pytest collect the subclass.

    Windows that suit an evaluator of a special kind come from `make_window`, which may be
    overridden.
    """

    @abstractmethod
    def make_evaluator(self) -> BaseEvaluator:
        """Return a fresh evaluator."""

    def make_window(self, episode_id: int = 3) -> EpisodeData:
        """Return a window that can be scored: three episodes of two steps."""
        rows = np.arange(12, dtype=np.float64).reshape(6, 2)
        ends = np.array([False, True] * 3)
        return EpisodeData(
            observations=rows,
            actions=np.zeros(6, dtype=np.int64),
            rewards=np.array([1.0, 2.0, 3.0, 4.0, 0.5, -1.0]),
            terminated=ends,
            truncated=np.zeros(6, dtype=np.bool_),
            next_observations=rows + 1.0,
            episode_id=episode_id,
        )

    def test_score_is_finite_and_belongs_to_its_window(self) -> None:
        metrics = self.make_evaluator().score(self.make_window(), {})
        assert isinstance(metrics, EvalMetrics)
        assert metrics.is_finite
        assert metrics.episode_id == self.make_window().episode_id

    def test_scoring_is_repeatable_and_leaves_the_window_alone(self) -> None:
        evaluator, window = self.make_evaluator(), self.make_window()
        rewards, diagnostics = window.rewards.copy(), {"loss": 0.25}
        first = evaluator.score(window, diagnostics)
        assert evaluator.score(window, diagnostics) == first
        assert np.array_equal(window.rewards, rewards)
        assert diagnostics == {"loss": 0.25}

    def test_evidence_is_whole_where_it_is_given(self) -> None:
        metrics = self.make_evaluator().score(self.make_window(), {})
        assert (metrics.n_episodes is None) == (metrics.score_se is None)
        if metrics.score_se is not None:
            assert metrics.score_se >= 0.0

    def test_diagnostics_of_any_kind_are_taken(self) -> None:
        diagnostics: dict[str, Any] = {
            "loss": np.float32(0.5),
            "kl": 0.01,
            "notes": "text",
            "nothing": None,
            "per_layer": np.ones(3),
        }
        assert self.make_evaluator().score(self.make_window(), diagnostics).is_finite

    def test_combine_gives_one_score_of_two(self) -> None:
        evaluator = self.make_evaluator()
        train = evaluator.score(self.make_window(), {})
        val = evaluator.score_validation(self.make_window())
        combined = evaluator.combine(train, val)
        assert isinstance(combined, EvalMetrics)
        assert combined.is_finite

    def test_nothing_is_better_than_itself(self) -> None:
        evaluator = self.make_evaluator()
        metrics = evaluator.score(self.make_window(), {})
        assert not evaluator.compare(metrics, metrics)

    def test_better_is_never_mutual(self) -> None:
        evaluator = self.make_evaluator()
        low, high = EvalMetrics(1.0), EvalMetrics(2.0)
        assert not (evaluator.compare(low, high) and evaluator.compare(high, low))
