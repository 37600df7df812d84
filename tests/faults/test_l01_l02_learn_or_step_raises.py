"""L01-L02: learning or a step fails; the error is seen, all is closed, the best loads."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from optix_core import RLOptimizer
from optix_core.checkpoint_registry import CheckpointRegistry
from optix_core.simple_pipeline import SimplePipeline

from .registry_scene import load_best
from .runs import CountingAgent

WINDOW = 10


class Flaky:
    """Episodes of five steps; the n-th step of all raises."""

    def __init__(self, fail_at: int | None, error: BaseException) -> None:
        self.fail_at, self.error = fail_at, error
        self.n_steps, self.n_closed = 0, 0

    def reset(self, *, seed: int | None = None) -> tuple[Any, dict[str, Any]]:
        return np.zeros(2), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.n_steps += 1
        if self.n_steps == self.fail_at:
            raise self.error
        return np.zeros(2), 1.0, self.n_steps % 5 == 0, False, {}

    def close(self) -> None:
        self.n_closed += 1


class Learner(CountingAgent):
    """Fails in its n-th lesson."""

    def __init__(self, fail_at: int | None, error: BaseException) -> None:
        super().__init__()
        self.fail_at, self.error = fail_at, error

    def learn(self, episode_data: Any) -> dict[str, Any]:
        if self.weight + 1 == self.fail_at:
            raise self.error
        return super().learn(episode_data)


@pytest.mark.parametrize(
    "error", [ValueError("mine"), MemoryError(), KeyboardInterrupt()], ids=repr
)
@pytest.mark.parametrize("lesson", [1, 3])
def test_a_lesson_that_raises(tmp_path: Path, lesson: int, error: BaseException) -> None:
    check(tmp_path, Flaky(None, error), Learner(lesson, error), window=lesson - 1)


@pytest.mark.parametrize("error", [ValueError("mine"), OSError(5, "broken")], ids=repr)
@pytest.mark.parametrize("step", [1, 7, 24])
def test_a_step_that_raises(tmp_path: Path, step: int, error: BaseException) -> None:
    check(tmp_path, Flaky(step, error), Learner(None, error), window=(step - 1) // WINDOW)


def check(root: Path, env: Flaky, agent: Learner, *, window: int) -> None:
    optimizer = RLOptimizer(
        agent, SimplePipeline(env, window_size=WINDOW), checkpoint_dir=root, seed=0
    )
    with pytest.raises(type(env.error)) as raised:
        optimizer.run()
    assert raised.value is env.error
    assert any(f"window {window}" in note for note in raised.value.__notes__)
    assert env.n_closed == 1
    events = [json.loads(line) for line in (root / "events.jsonl").read_text().splitlines()]
    report = events[-1]
    assert report["event"] == "run_stopped"
    assert report["stop_reason"] in ("failed", "interrupted")
    assert type(env.error).__name__ in report["error"]
    assert report["windows"] == window
    # The first window's policy was saved before it was to learn.
    has_best = agent.fail_at is not None or window > 0
    assert load_best(CheckpointRegistry(root)) == (0.0 if has_best else None)
