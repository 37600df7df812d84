"""A run that is taken up again equals the run that was not interrupted."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from optix_core import (
    BackoffOptimizer,
    BaseEvaluator,
    EpisodeData,
    EvalMetrics,
    LoopCallback,
    PBTOptimizer,
    RunReport,
    SimplePipeline,
    StopReason,
    state_keeper,
)
from optix_core.errors import (
    CheckpointCorruptError,
    CheckpointError,
    ConfigurationError,
)
from optix_core.testing import FakeAgent

from . import listed_memory
from .linear_policy import LinearPolicy
from .listed_memory import RememberingLearner
from .resume_scene import (
    Learner,
    NoisyWalk,
    journal_of,
    marks_of,
    optimizer_in,
    same_but_for_time,
)

TUNERS: dict[str, Any] = {
    "none": lambda: None,
    "backoff": BackoffOptimizer,
    "pbt": lambda: PBTOptimizer(seed=1),
}


class Bomb(LoopCallback):
    """Raises what ends a run, in the middle of a window."""

    def __init__(self, window_id: int) -> None:
        self.window_id = window_id

    def on_episode_end(self, window_id: int, metrics: Any) -> None:
        if window_id == self.window_id:
            raise KeyboardInterrupt


@pytest.fixture(autouse=True)
def without_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody cuts the power here, and the disk is slow."""

    def keep(handle: int) -> None:
        """Leave it to the cache."""

    monkeypatch.setattr("os.fsync", keep)


@pytest.fixture
def every_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_keeper, "SHARE", float("inf"))


@pytest.fixture
def first_window_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_keeper, "SHARE", 0.0)


@pytest.mark.parametrize("tuner", TUNERS)
def test_ten_and_ten_windows_are_twenty(tmp_path: Path, tuner: str) -> None:
    whole = optimizer_in(tmp_path / "a", 20, optimizer=TUNERS[tuner]()).run()
    agent = Learner(1)
    optimizer_in(tmp_path / "b", 10, optimizer=TUNERS[tuner]()).run()
    parts = optimizer_in(
        tmp_path / "b", 20, optimizer=TUNERS[tuner](), resume=True, agent=agent
    ).run()
    assert same_but_for_time(whole, parts)
    left, right = marks_of(tmp_path / "a"), marks_of(tmp_path / "b")
    # What a run was asked for is written at its start alone: ten windows here.
    left["journal"][1]["asked"]["loop"]["max_episodes"] = 10
    assert left == right


@pytest.mark.parametrize("share", ["every_window", "first_window_alone"])
@pytest.mark.parametrize("window_id", [0, 1, 7])
def test_an_interrupted_run_goes_on(
    tmp_path: Path, request: pytest.FixtureRequest, share: str, window_id: int
) -> None:
    request.getfixturevalue(share)
    whole = optimizer_in(tmp_path / "a", 12, callbacks=[Bomb(-1)]).run()
    with pytest.raises(KeyboardInterrupt):
        optimizer_in(tmp_path / "b", 12, callbacks=[Bomb(window_id)]).run()
    assert journal_of(tmp_path / "b")[-1]["stop_reason"] == "interrupted"
    parts = optimizer_in(tmp_path / "b", 12, callbacks=[Bomb(-1)], resume=True).run()
    assert same_but_for_time(whole, parts)
    assert marks_of(tmp_path / "a") == marks_of(tmp_path / "b")


def test_a_run_goes_on_in_the_same_process(tmp_path: Path, every_window: None) -> None:
    whole = optimizer_in(tmp_path / "a", 9, callbacks=[Bomb(-1)]).run()
    bomb = Bomb(4)
    optimizer = optimizer_in(tmp_path / "b", 9, callbacks=[bomb], resume=True)
    with pytest.raises(KeyboardInterrupt):
        optimizer.run()
    bomb.window_id = -1
    assert same_but_for_time(whole, optimizer.run())
    assert marks_of(tmp_path / "a") == marks_of(tmp_path / "b")


class Smoothing(BaseEvaluator):
    """Scores the running mean of all windows."""

    def __init__(self) -> None:
        self.mean = 0.0

    def score(self, episode_data: EpisodeData, train_diagnostics: dict[str, Any]) -> EvalMetrics:
        self.mean = 0.8 * self.mean + 0.2 * float(episode_data.rewards.mean())
        return EvalMetrics(self.mean, {}, episode_data.episode_id)

    def state_dict(self) -> dict[str, Any]:
        """Return the mean."""
        return {"mean": self.mean}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put the mean back."""
        self.mean = state["mean"]


def test_an_evaluator_with_a_memory_goes_on(tmp_path: Path) -> None:
    def run(directory: Path, windows: int) -> RunReport:
        settings: dict[str, Any] = {"evaluator": Smoothing(), "val_pipeline": None}
        return optimizer_in(directory, windows, resume=True, **settings).run()

    whole = run(tmp_path / "a", 8)
    run(tmp_path / "b", 4)
    assert same_but_for_time(whole, run(tmp_path / "b", 8))


def test_a_finished_run_says_so_and_hands_its_policy_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings: dict[str, Any] = {"plateau_threshold": 2, "dormant_threshold": 3}
    first, again = Learner(1), Learner(2)
    report = optimizer_in(tmp_path, 200, agent=first, **settings).run()
    assert report.stop_reason not in (StopReason.MAX_WINDOWS, StopReason.STOPPED)
    before = journal_of(tmp_path)
    resumed = optimizer_in(tmp_path, 300, agent=again, resume=True, **settings).run()
    assert resumed == report
    assert journal_of(tmp_path) == before
    assert "there is nothing to resume" in caplog.text
    assert (again.weights["kernel"] == first.weights["kernel"]).all()


def test_as_many_windows_as_asked_for_are_a_finished_run(tmp_path: Path) -> None:
    report = optimizer_in(tmp_path, 4).run()
    assert optimizer_in(tmp_path, 3, resume=True).run() == report
    longer = optimizer_in(tmp_path, 5, resume=True).run()
    assert longer.windows == 5
    assert longer.run_id == report.run_id


def test_where_there_is_no_run_one_begins(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    report = optimizer_in(tmp_path / "new", 2, resume=True).run()
    assert report.run_id == 1
    assert "there is no run in" in caplog.text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seed": 6}, "seed was 5 and is 6"),
        ({"agent": LinearPolicy(1)}, "agent was 'Learner' and is 'LinearPolicy'"),
        ({"optimizer": PBTOptimizer()}, "optimizer was None and is 'PBTOptimizer'"),
        ({"callbacks": [Bomb(-1)]}, "had the callbacks"),
    ],
)
def test_another_run_is_refused(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    optimizer_in(tmp_path, 3).run()
    before = journal_of(tmp_path)
    with pytest.raises(ConfigurationError, match=said):
        optimizer_in(tmp_path, 5, resume=True, **changes).run()
    assert journal_of(tmp_path)[: len(before) - 1] == before[:-1]


def test_the_seed_of_then_is_taken_where_none_is_given(tmp_path: Path) -> None:
    optimizer_in(tmp_path, 3, seed=None).run()
    drawn = journal_of(tmp_path)[-1]["seed"]
    assert optimizer_in(tmp_path, 5, seed=None, resume=True).run().seed == drawn


def test_other_settings_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    optimizer_in(tmp_path, 3).run()
    optimizer_in(tmp_path, 5, resume=True, base_interval=2).run()
    assert "base_interval was 1 and is 2" in caplog.text
    assert "max_episodes" not in caplog.text


def test_what_begins_anew_is_said_and_nothing_is_taken_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, first_window_alone: None
) -> None:
    class Unseeded(NoisyWalk):
        def reset(self) -> tuple[Any, dict[str, Any]]:  # pyright: ignore[reportIncompatibleMethodOverride]
            return super().reset()

    def run(window_id: int, *, resume: bool = False) -> Any:
        return optimizer_in(
            tmp_path,
            9,
            agent=FakeAgent(),
            pipeline=SimplePipeline(Unseeded(), window_size=30),
            val_pipeline=None,
            callbacks=[Bomb(window_id)],
            resume=resume,
        ).run()

    with caplog.at_level(logging.WARNING), pytest.raises(KeyboardInterrupt):
        run(6)
    saved = {path.name for path in tmp_path.glob("snapshot-*")}
    run(-1, resume=True)
    assert "FakeAgent has no state_dict" in caplog.text
    assert "Unseeded begins a new episode: its reset takes no seed" in caplog.text
    (event,) = [e for e in journal_of(tmp_path) if e["event"] == "not_restored"]
    assert len(event["losses"]) == 2
    assert saved <= {path.name for path in tmp_path.glob("snapshot-*")}


def test_a_damaged_state_is_said_and_left_alone(tmp_path: Path) -> None:
    optimizer_in(tmp_path, 3).run()
    (state,) = (tmp_path / "state").glob("*/state.json")
    state.write_bytes(
        state.read_bytes().replace(b"backoff", b"BACKOFF").replace(b'"steps"', b'"stops"')
    )
    before = journal_of(tmp_path)
    with pytest.raises(CheckpointCorruptError, match="does not match its checksum"):
        optimizer_in(tmp_path, 5, resume=True).run()
    assert journal_of(tmp_path) == before


def test_a_newer_state_is_refused(tmp_path: Path) -> None:
    optimizer_in(tmp_path, 3).run()
    (state,) = (tmp_path / "state").glob("*/state.json")
    state.write_bytes(state.read_bytes().replace(b'"schema_version":1', b'"schema_version":9', 1))
    with pytest.raises(CheckpointError, match="update optix-core"):
        optimizer_in(tmp_path, 5, resume=True).run()


def test_a_memory_stored_by_rows_is_resumed_as_it_was(tmp_path: Path, every_window: None) -> None:
    def run(name: str, bomb_at: int = -1) -> None:
        agent, callbacks = RememberingLearner(1), [Bomb(bomb_at)]
        optimizer_in(tmp_path / name, 12, resume=True, agent=agent, callbacks=callbacks).run()

    run("whole")
    for window_id in (3, 4, 8):
        with pytest.raises(KeyboardInterrupt):
            run("parts", window_id)
    run("parts")
    marks = marks_of(tmp_path / "parts")
    assert marks["rows"]
    assert marks == marks_of(tmp_path / "whole")


def test_a_class_that_lost_its_memory_is_refused(tmp_path: Path) -> None:
    class RememberingLearner(Learner):
        """No memory any more."""

    optimizer_in(tmp_path, 3, agent=listed_memory.RememberingLearner(1)).run()
    with pytest.raises(ConfigurationError, match="load_with_replay"):
        optimizer_in(tmp_path, 5, resume=True, agent=RememberingLearner(1)).run()
