"""What a run leaves behind: one event a window, the same for the same seed, in bounded memory."""

import gc
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from optix_core import (
    BackoffOptimizer,
    BaseAgent,
    EvalMetrics,
    LoopCallback,
    PBTOptimizer,
    RLOptimizer,
    StopReason,
    render_report,
)
from optix_core.errors import ConfigurationError, ContractViolationError
from optix_core.testing import FakeAgent, ScriptedPipeline

from .loop_runs import LiteralEvaluator, Spy, run_script


def without_time(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {name: value for name, value in event.items() if not name.startswith("time_")}
        for event in events
    ]


def noisy(seed: int) -> Any:
    rng = np.random.default_rng(seed)

    def play(agent: BaseAgent, window_id: int) -> list[float]:
        return rng.normal(size=3).tolist()

    return play


@pytest.mark.parametrize("tuner", [None, BackoffOptimizer, PBTOptimizer])
def test_the_same_seed_gives_the_same_journal_but_for_time(tmp_path: Path, tuner: Any) -> None:
    def journal(name: str, seed: int) -> list[dict[str, Any]]:
        _, _, events = run_script(
            tmp_path / name,
            noisy(7),
            agent=FakeAgent({"learning_rate": 0.1, "steps": 4, "flag": True}),
            optimizer=None if tuner is None else tuner(),
            seed=seed,
            max_episodes=30,
        )
        return without_time(events)

    assert journal("a", 3) == journal("b", 3)
    assert journal("c", 4) != journal("a2", 3)


def test_every_window_is_one_event_and_the_report_is_the_last(tmp_path: Path) -> None:
    report, _, events = run_script(tmp_path, [1.0, 2.0, 2.0], base_interval=2)
    events = [e for e in events if e["event"] != "journal"]  # its first line says its format
    assert [e["event"] for e in events] == [
        "run_started",
        "window",
        "window",
        "window",
        "run_stopped",
    ]
    assert [e["score"] for e in events[1:4]] == [1.0, None, 2.0]
    assert [e["steps"] for e in events[1:4]] == [1, 2, 3]
    assert events[0]["asked"]["loop"]["base_interval"] == 2
    assert events[-1]["stop_reason"] == report.stop_reason == StopReason.STOPPED
    assert events[-1]["best_score"] == report.best_score == 2.0


def test_hyperparameters_are_journaled_where_they_change(tmp_path: Path) -> None:
    _, _, events = run_script(tmp_path, [1.0, 2.0, 3.0], optimizer=BackoffOptimizer())
    windows = [e for e in events if e["event"] == "window"]
    assert windows[0]["hyperparams"]["learning_rate"] > 0.1
    assert "hyperparams" in windows[0]


def test_without_evidence_the_documented_tuner_tunes(tmp_path: Path) -> None:
    spy = Spy()
    report, _, _ = run_script(tmp_path, [1.0, 2.0, 3.0], callbacks=[spy])
    assert report.tuner == "BackoffOptimizer"
    assert spy.named("on_hyperparam_update")


def test_with_evidence_hyperparameters_stay_as_given(tmp_path: Path) -> None:
    spy = Spy()
    report, agent, _ = run_script(
        tmp_path, [[1.0, 2.0], [32.0, 33.0]], callbacks=[spy], evaluator=None
    )
    assert report.tuner == "none"
    assert spy.named("on_hyperparam_update") == []
    assert agent.get_hyperparams().params == {"learning_rate": 0.1}
    # The mean of both evaluations: one window of two episodes may be luck.
    assert (report.best_n_episodes, report.best_score) == (4, 17.0)


def test_a_best_that_only_the_evaluator_prefers_is_not_pruned(tmp_path: Path) -> None:
    class LowerIsBetter(LiteralEvaluator):
        def compare(self, candidate: EvalMetrics, baseline: EvalMetrics) -> bool:
            return candidate.primary_score < baseline.primary_score

    report, agent, _ = run_script(
        tmp_path,
        [5.0, 4.0, 3.0, 2.0, 1.0, 1.0],
        evaluator=LowerIsBetter(),
        max_snapshots=1,
        degradation_threshold=0.0,
    )
    assert report.best_score == 1.0
    assert agent.skill == 4.0


def test_converged_and_no_improvement_are_told_apart_by_evidence(tmp_path: Path) -> None:
    flat = [[5.0, 5.0]] * 20
    risen = [[5.0, 6.0], [7.0, 7.0], *[[50.0, 51.0, 52.0]] * 20]
    settings: dict[str, Any] = {
        "evaluator": None,
        "plateau_threshold": 2,
        "dormant_threshold": 3,
        "backoff_factor": 1.0,
    }
    stuck, _, _ = run_script(tmp_path / "flat", flat, **settings)
    learned, _, _ = run_script(tmp_path / "risen", risen, **settings)
    assert stuck.stop_reason is StopReason.NO_IMPROVEMENT
    assert learned.stop_reason is StopReason.CONVERGED


def test_memory_does_not_grow_with_the_number_of_windows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("optix_core.metrics_history.CAPACITY", 64)
    marks: list[int] = []

    class Measures(LoopCallback):
        def on_episode_end(self, window_id: int, metrics: EvalMetrics | None) -> None:
            if window_id in (300, 620):  # the same point of the thinning cycle, ten cycles apart
                gc.collect()
                marks.append(tracemalloc.get_traced_memory()[0])

    def saw(agent: BaseAgent, window_id: int) -> list[float]:
        return [1.0 - 1.0 / (1.0 + window_id % 7)]

    tracemalloc.start()
    try:
        run_script(
            tmp_path,
            saw,
            callbacks=[Measures()],
            max_episodes=621,
            dormant_threshold=10**9,
            plateau_threshold=10**9,
        )
    finally:
        tracemalloc.stop()
    assert marks[1] - marks[0] < 20_000


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"improvement_margin": -0.5}, "improvement_margin.*-0.5"),
        ({"max_episodes": 0}, "max_episodes.*0"),
        ({"max_snapshots": 0}, "max_snapshots.*0"),
        ({"seed": -3}, "seed.*-3"),
        ({"backoff_factor": 0.5}, "backoff_factor.*0.5"),
        ({"degradation_threshold": 1.5}, "degradation_threshold.*1.5"),
        ({"plateau_threshold": 9, "dormant_threshold": 3}, "dormant_threshold.*3"),
    ],
)
def test_settings_out_of_range_are_refused_with_their_value(
    tmp_path: Path, settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        RLOptimizer(FakeAgent(), ScriptedPipeline([]), checkpoint_dir=tmp_path, **settings)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("part", ["agent", "pipeline", "val_pipeline", "evaluator", "optimizer"])
def test_parts_that_keep_no_contract_are_refused_by_name(part: str) -> None:
    parts: dict[str, Any] = {"agent": FakeAgent(), "pipeline": ScriptedPipeline([])}
    parts[part] = object()
    with pytest.raises(ContractViolationError, match=rf"^{part} must derive from .*, got object"):
        RLOptimizer(**parts)


def test_report_reads_well(tmp_path: Path) -> None:
    report, _, _ = run_script(tmp_path, [[1.0, 2.0], [33.0, 34.0]], evaluator=None)
    text = render_report(report)
    assert "Reason           stopped: the pipeline ended" in text
    assert "17.5 ± 9.242 (standard error, 4 episodes), window 1" in text
    assert "learning_rate=0.1" in text


def test_a_callback_sees_the_steps_of_training_and_of_validation(tmp_path: Path) -> None:
    class Meter(Spy):
        def __init__(self) -> None:
            super().__init__()
            self.readings: list[tuple[int, int]] = []

        def on_episode_end(self, window_id: int, metrics: EvalMetrics | None) -> None:
            self.readings.append((self.loop.steps, self.loop.validation_steps))

    meter = Meter()
    report, _, _ = run_script(
        tmp_path,
        [1.0, 2.0, 3.0],
        callbacks=[meter],
        val_pipeline=ScriptedPipeline([[1.0, 1.0]] * 3),
    )
    assert len(meter.readings) == 3
    assert meter.readings == sorted(set(meter.readings))
    assert meter.readings[-1] == (report.steps, report.validation_steps)
    assert report.validation_steps > 0
