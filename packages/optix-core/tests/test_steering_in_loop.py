"""Whether a run's step size is steered, by whom, and what the loop writes down of it."""

from pathlib import Path
from typing import Any

import pytest

from optix_core import BackoffOptimizer, Domain, EpisodeData, ReturnEvaluator, RLOptimizer
from optix_core.errors import CheckpointCorruptError, ConfigurationError
from optix_core.steering_seat import SteeringSeat
from optix_core.testing import FakeAgent, ScriptedPipeline

from .loop_runs import LiteralEvaluator, Spy, read_journal, run_script

HALF_EPISODES = [[1.0, 3.0], [2.0, 4.0], [3.0, 5.0], [4.0, 6.0]]


class MovingAgent(FakeAgent):
    """Says that each lesson changed its policy too much."""

    def learn(self, episode_data: EpisodeData) -> dict[str, Any]:
        return {**super().learn(episode_data), "kl": 0.04}


class DeclaringAgent(MovingAgent):
    """And declares its step size."""

    def hyperparam_space(self) -> dict[str, Domain]:
        return {"learning_rate": Domain(low=1e-6, high=1.0, log=True, role="step_size")}


class ThrownAgent(DeclaringAgent):
    """Whose lessons throw its policy away at a high learning rate."""

    def learn(self, episode_data: EpisodeData) -> dict[str, Any]:
        kl = float(self.get_hyperparams().params["learning_rate"])
        return {**super().learn(episode_data), "kl": kl}


def rates(journal: list[dict[str, Any]]) -> list[float]:
    """The learning rate of each lesson."""
    last: Any = 0.0
    found: list[float] = []
    for event in journal:
        if event["event"] == "window":
            last = event.get("hyperparams", {}).get("learning_rate", last)
            found.append(round(last, 6) if isinstance(last, float) else 0.0)
    return found


def run(directory: Path, agent: FakeAgent, **settings: Any) -> tuple[Any, list[float], Spy]:
    spy = Spy()
    settings = {"evaluator": ReturnEvaluator()} | settings
    report, _, journal = run_script(
        directory, HALF_EPISODES, agent=agent, callbacks=[spy], **settings
    )
    return report, rates(journal), spy


def test_with_evidence_the_declared_step_size_is_steered(tmp_path: Path) -> None:
    report, found, spy = run(tmp_path, DeclaringAgent())
    assert found == [0.1, 0.066667, 0.044444, 0.02963]
    assert report.tuner == "StepSizeController"
    updates = spy.named("on_hyperparam_update")
    old, new = updates[0]
    assert (old["learning_rate"], new["learning_rate"]) == (0.1, pytest.approx(0.1 / 1.5))
    assert len(updates) == 3


def test_a_snapshot_credits_the_step_size_that_made_its_policy(tmp_path: Path) -> None:
    _, found, spy = run(tmp_path, DeclaringAgent(), confirm=False)
    snapshots = [snapshot for (snapshot,) in spy.named("on_improvement")]
    credited = [round(s.hyperparams.params["learning_rate"], 6) for s in snapshots]
    assert credited == [0.1, *found[:3]]


@pytest.mark.parametrize(
    ("agent", "settings", "tuner"),
    [
        (MovingAgent(), {}, "none"),  # declares nothing
        (DeclaringAgent(), {"autotune": False}, "none"),
        (DeclaringAgent(), {"evaluator": LiteralEvaluator()}, "BackoffOptimizer"),
        (DeclaringAgent(), {"optimizer": BackoffOptimizer()}, "BackoffOptimizer"),
        (DeclaringAgent({"learning_rate": "cosine"}), {}, "none"),
    ],
)
def test_otherwise_it_is_not(
    tmp_path: Path, agent: FakeAgent, settings: dict[str, Any], tuner: str
) -> None:
    report, _, _ = run(tmp_path, agent, **settings)
    assert report.tuner == tuner


def test_a_named_step_size_is_steered_beside_a_tuner_that_then_leaves_it_alone(
    tmp_path: Path,
) -> None:
    agent = MovingAgent({"learning_rate": 0.1, "entropy": 0.5})
    report, found, spy = run(
        tmp_path, agent, optimizer=BackoffOptimizer(), step_param="learning_rate"
    )
    assert found == [0.1, 0.066667, 0.044444, 0.02963]
    assert report.tuner == "BackoffOptimizer + StepSizeController"
    moved = {
        name
        for old, new in spy.named("on_hyperparam_update")
        for name in new
        if old[name] != new[name]
    }
    assert moved == {"learning_rate", "entropy"}


def test_a_named_step_size_is_steered_without_evidence_too(tmp_path: Path) -> None:
    report, found, _ = run(
        tmp_path, MovingAgent(), evaluator=LiteralEvaluator(), step_param="learning_rate"
    )
    assert found == [0.1, 0.066667, 0.044444, 0.02963]
    assert report.tuner == "BackoffOptimizer + StepSizeController"


@pytest.mark.parametrize(
    ("params", "name", "text"),
    [
        ({"learning_rate": 0.1, "gamma": 0.9}, "learning_rat", "Did you mean 'learning_rate'"),
        ({"learning_rate": 0.1, "gamma": 0.9}, "x", "It has learning_rate, gamma"),
        ({}, "x", "no hyperparameters"),
        ({"rate": "cosine"}, "rate", "positive number"),
        ({"rate": 0.0}, "rate", "positive number"),
    ],
)
def test_a_step_param_that_cannot_be_steered_is_refused_at_once(
    tmp_path: Path, params: dict[str, Any], name: str, text: str
) -> None:
    with pytest.raises(ConfigurationError, match=text):
        RLOptimizer(
            FakeAgent(params), ScriptedPipeline([]), checkpoint_dir=tmp_path, step_param=name
        )


def test_a_category_is_no_step_size(tmp_path: Path) -> None:
    class Choosing(FakeAgent):
        def hyperparam_space(self) -> dict[str, Domain]:
            return {"learning_rate": Domain(choices=(0.1, 0.2), role="step_size")}

    with pytest.raises(ConfigurationError, match="category"):
        RLOptimizer(
            Choosing(), ScriptedPipeline([]), checkpoint_dir=tmp_path, step_param="learning_rate"
        )
    report, _, _ = run(tmp_path, Choosing())
    assert report.tuner == "none"


def test_a_lesson_that_throws_the_policy_away_is_taken_back(tmp_path: Path) -> None:
    agent = ThrownAgent({"learning_rate": 1.0})
    _, found, _ = run(tmp_path, agent, confirm=False)
    assert found == [1.0, 0.197531, 0.058528, 0.026012]
    windows = read_journal(tmp_path, "window")
    assert [w["learned"] for w in windows] == [False, False, True, True]
    assert [w["diagnostics"].get("kl") for w in windows[:2]] == [None, None]
    taken_back = read_journal(tmp_path, "lesson_taken_back")
    assert [e["diagnostics"]["kl"] for e in taken_back] == [1.0, pytest.approx(0.197531, abs=1e-6)]
    # The best, which is handed back, played the last window: one lesson stood behind it.
    assert agent.skill == 1.0
    assert not (tmp_path / "lesson").exists()


def test_weights_that_a_killed_run_kept_are_gone_when_the_next_one_begins(tmp_path: Path) -> None:
    (tmp_path / "lesson").mkdir()
    (tmp_path / "lesson" / "learner").write_bytes(b"half of the weights")
    run(tmp_path, FakeAgent())
    assert not (tmp_path / "lesson").exists()


def test_weights_that_cannot_be_kept_end_no_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Unsaved(ThrownAgent):
        def save_weights(self, path: str) -> None:
            if "/lesson/" in path:
                raise OSError(28, "No space left on device")
            super().save_weights(path)

    run(tmp_path, Unsaved({"learning_rate": 1.0}))
    assert "no lesson can be taken back" in caplog.text
    assert all(w["learned"] for w in read_journal(tmp_path, "window"))


def test_a_rollback_drops_the_pending_change(tmp_path: Path) -> None:
    scores = [[5.0, 5.0], [1.0, 1.0], [5.0, 5.0]]
    _, _, journal = run_script(
        tmp_path,
        scores,
        agent=DeclaringAgent(),
        evaluator=ReturnEvaluator(),
        rollback_on_degradation=True,
    )
    assert rates(journal) == [0.1, 0.1, 0.1]


def test_a_state_without_its_controller_is_refused(tmp_path: Path) -> None:
    for state in ({}, {"is_settled": True, "held": "rate", "controller": None}):
        with pytest.raises(CheckpointCorruptError):
            SteeringSeat(None, tmp_path).load_state_dict(state)
    seat = SteeringSeat(None, tmp_path)
    seat.load_state_dict({"is_settled": True, "held": None, "controller": None})
    assert seat.state_dict() == {"is_settled": True, "held": None, "controller": None}
