"""L03, L04: NaN and infinite rewards and observations never reach act, learn or the best."""

import math
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from optix_core import CheckpointRegistry, SimplePipeline
from optix_core.errors import ConfigurationError, NonFiniteDataError, PipelineError

from .loop_scene import Misbehaving, Watched, events_in, run_in

BAD = [math.nan, math.inf, -math.inf]
WHERE = ["rewards", "observations"]


def misbehaving(where: str, values: dict[int, float]) -> Misbehaving:
    if where == "rewards":
        return Misbehaving(rewards=values)
    return Misbehaving(observations=values)


@pytest.mark.parametrize("value", BAD)
@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("step", [1, 14, 20])
def test_such_a_window_is_passed_over(tmp_path: Path, where: str, value: float, step: int) -> None:
    agent = Watched()
    report = run_in(tmp_path, misbehaving(where, {step: value}), agent=agent)
    assert agent.seen_non_finite == 0
    assert (report.windows, report.skipped_windows) == (6, 1)
    assert agent.learned == [w for w in range(6) if w != (step - 1) // 10]
    best = CheckpointRegistry(tmp_path).best
    assert best is not None
    assert math.isfinite(best.eval_metrics.primary_score)
    windows = events_in(tmp_path, "window")
    assert [w["learned"] for w in windows].count(False) == 1
    assert all(w["mean_return"] is None or w["mean_return"] <= 5 for w in windows)
    assert len(events_in(tmp_path, "window_skipped")) == 1


@pytest.mark.parametrize("where", WHERE)
def test_three_in_a_row_end_the_run(tmp_path: Path, where: str) -> None:
    env = misbehaving(where, {21: math.nan, 31: math.nan, 41: math.nan})
    with pytest.raises(NonFiniteDataError, match="3 windows in a row"):
        run_in(tmp_path, env)
    assert env.n_closes == 1
    (stopped,) = events_in(tmp_path, "run_stopped")
    assert (stopped["stop_reason"], stopped["skipped_windows"]) == ("failed", 3)


def test_two_in_a_row_again_and_again_do_not(tmp_path: Path) -> None:
    env = Misbehaving(rewards={1: math.nan, 11: math.nan, 31: math.nan, 41: math.nan})
    assert run_in(tmp_path, env).skipped_windows == 4


@pytest.mark.parametrize("where", WHERE)
def test_raise_ends_the_run_at_once(tmp_path: Path, where: str) -> None:
    agent = Watched()
    with pytest.raises(NonFiniteDataError, match="window 1 holds"):
        run_in(tmp_path, misbehaving(where, {14: math.nan}), agent=agent, on_nonfinite="raise")
    assert agent.learned == [0]


def test_rollback_restores_the_best(tmp_path: Path) -> None:
    agent = Watched()
    report = run_in(
        tmp_path, Misbehaving(rewards={34: math.nan}), agent=agent, on_nonfinite="rollback"
    )
    assert report.skipped_windows == 1
    # The best is of window 0, which was scored before anything was learned.
    assert agent.calls["load_weights"] == 2
    assert agent.learned == [0, 1, 2, 4, 5]


def test_an_unknown_policy_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="must be one of raise, skip, rollback"):
        run_in(tmp_path, Misbehaving(), on_nonfinite="ignore")


def test_an_environment_that_begins_with_nan_is_refused(tmp_path: Path) -> None:
    class Born(Misbehaving):
        def reset(self, *, seed: int | None = None) -> tuple[Any, dict[str, Any]]:
            return np.full(3, math.nan), {}

    with pytest.raises(PipelineError, match="not finite 3 times in a row"):
        run_in(tmp_path, Born())


def test_an_episode_ends_where_it_turns_non_finite() -> None:
    agent = Watched()
    pipeline = SimplePipeline(Misbehaving(observations={3: math.nan}), agent, window_size=6)
    first, second = islice(pipeline.episodes(), 2)
    assert first.truncated.tolist() == [False, False, True, False, False, False]
    assert first.metadata["non_finite"] == 1
    assert first.observations[:, 0].tolist() == [0.0, 1.0, 2.0, 0.0, 1.0, 2.0]
    assert (second.episode_returns.tolist(), "non_finite" in second.metadata) == ([5.0], False)
    assert agent.seen_non_finite == 0
