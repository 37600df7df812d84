"""Our evaluators, and users' of the kinds that the README shows, keep the contract."""

from typing import Any

from optix_core import BaseEvaluator, EpisodeData, EvalMetrics, ReturnEvaluator
from optix_core.testing import EvaluatorContract


class TestReturnEvaluator(EvaluatorContract):
    def make_evaluator(self) -> BaseEvaluator:
        return ReturnEvaluator()


class TestDefaults(EvaluatorContract):
    def make_evaluator(self) -> BaseEvaluator:
        return BaseEvaluator()


class Sharpe(BaseEvaluator):
    def score(self, episode_data: EpisodeData, train_diagnostics: dict[str, Any]) -> EvalMetrics:
        rewards = episode_data.rewards
        sharpe = float(rewards.mean() / (rewards.std() + 1e-8))
        return EvalMetrics(sharpe, {"sharpe": sharpe}, episode_data.episode_id)


class TestOwnScore(EvaluatorContract):
    def make_evaluator(self) -> BaseEvaluator:
        return Sharpe()


class Conservative(BaseEvaluator):
    def combine(self, train: EvalMetrics, val: EvalMetrics) -> EvalMetrics:
        return EvalMetrics(min(train.primary_score, val.primary_score))


class TestOwnCombine(EvaluatorContract):
    def make_evaluator(self) -> BaseEvaluator:
        return Conservative()
