"""However a run ends, it says so: the error as it was raised, the report, closed pipelines."""

import logging
import math
from pathlib import Path
from typing import Any, Never

import pytest

from optix_core import BaseEvaluator, CheckpointRegistry, EpisodeData, EvalMetrics, StopReason
from optix_core.errors import ConfigurationError, ContractViolationError
from optix_core.testing import FakeAgent, ScriptedPipeline

from .loop_runs import LiteralEvaluator, Spy, read_journal, run_script


@pytest.mark.parametrize("error", [ValueError("user's"), KeyboardInterrupt()])
@pytest.mark.parametrize("where", ["learn", "act", "pipeline", "evaluator"])
def test_an_error_leaves_as_it_was_raised_and_the_run_is_closed(
    tmp_path: Path, error: BaseException, where: str
) -> None:
    class Raises(BaseEvaluator):
        def score(
            self, episode_data: EpisodeData, train_diagnostics: dict[str, Any]
        ) -> EvalMetrics:
            if episode_data.episode_id == 2:
                raise error
            return EvalMetrics(1.0)

    agent = FakeAgent(raise_at={where: 3} if where in ("learn", "act") else None, error=error)
    raise_at = 2 if where == "pipeline" else None
    pipeline = ScriptedPipeline(lambda agent, window_id: [1.0], raise_at=raise_at, error=error)
    val = ScriptedPipeline(lambda agent, window_id: [1.0])
    evaluator = Raises() if where == "evaluator" else LiteralEvaluator()
    spy = Spy()
    with pytest.raises(type(error)) as caught:
        run_script(
            tmp_path,
            None,
            agent=agent,
            pipeline=pipeline,
            val_pipeline=val if where == "learn" else None,
            evaluator=evaluator,
            callbacks=[spy],
        )
    assert caught.value is error
    assert any("window 2" in note for note in error.__notes__)
    assert spy.heard[-1] == ("on_loop_stop",)
    assert pipeline.calls["teardown"] == 1
    assert val.calls["teardown"] == (1 if where == "learn" else 0)
    (report,) = read_journal(tmp_path, "run_stopped")
    reason = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
    assert (report["stop_reason"], report["windows"]) == (reason, 2)
    assert type(error).__name__ in report["error"]
    assert CheckpointRegistry(tmp_path).best is not None


class Told(BaseEvaluator):
    """Gives the scores that it was told, whatever the windows hold."""

    def __init__(self, scores: list[float]) -> None:
        self.scores = scores

    def score(self, episode_data: EpisodeData, train_diagnostics: dict[str, Any]) -> EvalMetrics:
        return EvalMetrics(self.scores[episode_data.episode_id], {}, episode_data.episode_id)


def test_nan_is_never_a_best_and_counts_as_no_improvement(tmp_path: Path) -> None:
    scores = [math.nan, 1.0, math.inf, math.nan, 2.0, math.nan]
    report, agent, events = run_script(tmp_path, [0.0] * 6, evaluator=Told(scores))
    assert (report.best_score, report.best_window) == (2.0, 4)
    counts = [e["n_without_improvement"] for e in events if e["event"] == "window"]
    assert counts == [1, 0, 1, 2, 0, 1]
    assert agent.skill == 4.0


def test_a_run_without_a_finite_score_says_so(tmp_path: Path) -> None:
    report, _, _ = run_script(
        tmp_path,
        [0.0] * 9,
        evaluator=Told([math.nan] * 9),
        plateau_threshold=1,
        dormant_threshold=2,
        backoff_factor=1,
    )
    assert report.stop_reason is StopReason.NO_IMPROVEMENT
    assert (report.best_score, report.best_snapshot_id, report.windows) == (None, None, 2)


@pytest.mark.parametrize("score", [None, "1.0", [1.0]])
def test_a_score_that_is_no_number_saves_nothing(tmp_path: Path, score: Any) -> None:
    class Bad(BaseEvaluator):
        def score(
            self, episode_data: EpisodeData, train_diagnostics: dict[str, Any]
        ) -> EvalMetrics:
            return EvalMetrics(score)

    with pytest.raises(ContractViolationError, match="primary_score"):
        run_script(tmp_path, [1.0], evaluator=Bad())
    assert CheckpointRegistry(tmp_path).snapshots() == []


def test_learn_must_return_diagnostics(tmp_path: Path) -> None:
    class ReturnsNone(FakeAgent):
        def learn(self, episode_data: EpisodeData) -> Any:
            return None

    with pytest.raises(ContractViolationError, match=r"learn of ReturnsNone.*NoneType"):
        run_script(tmp_path, [1.0], agent=ReturnsNone())


def test_a_broken_teardown_does_not_mask_the_first_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Breaks(Spy):
        def on_loop_stop(self) -> Never:
            raise ConfigurationError("second")

    agent = FakeAgent(raise_at={"learn": 1}, error=ValueError("first"))
    with caplog.at_level(logging.ERROR), pytest.raises(ValueError, match="first"):
        run_script(tmp_path, [1.0], agent=agent, callbacks=[Breaks()])
    assert "second" in caplog.text


def test_a_factory_error_of_a_callback_ends_the_run_typed(tmp_path: Path) -> None:
    class Breaks(Spy):
        def on_dormant(self, window_id: int) -> Never:
            raise ConfigurationError("the factory returned None")

    with pytest.raises(ConfigurationError, match="factory"):
        run_script(
            tmp_path, [1.0, 1.0], callbacks=[Breaks()], plateau_threshold=1, dormant_threshold=1
        )


def test_a_run_after_an_error_starts_clean(tmp_path: Path) -> None:
    agent = FakeAgent(raise_at={"learn": 2})
    with pytest.raises(RuntimeError):
        run_script(tmp_path, [1.0, 2.0, 3.0], agent=agent)
    report, _, _ = run_script(tmp_path, [0.5])
    assert (report.run_id, report.best_score) == (2, 0.5)
    best = CheckpointRegistry(tmp_path).best
    assert best is not None
    assert best.eval_metrics.primary_score == 2.0
