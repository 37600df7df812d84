"""A Keras agent that is taken up again equals one that was not interrupted, slots and all."""

import json
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from optix_core import RLOptimizer
from optix_core.state_store import StateStore
from optix_pipelines import BatchPipeline, make_vector
from optix_tf import PPOAgent


def run(directory: Path, windows: int) -> None:
    env = gymnasium.make("CartPole-v1")
    agent = PPOAgent.for_spaces(
        env.observation_space, env.action_space, seed=3, hidden=(8,), jit_compile=False
    )
    pipeline = BatchPipeline(make_vector("CartPole-v1", 2), window_size=64)
    RLOptimizer(
        agent, pipeline, checkpoint_dir=directory, max_episodes=windows, seed=0, resume=True
    ).run()


def weights_of(directory: Path) -> bytes:
    saved = StateStore(directory / "state").load()
    assert saved is not None
    return (saved.files / "learner").read_bytes()


def windows_of(directory: Path) -> list[dict[str, Any]]:
    lines = (directory / "events.jsonl").read_text(encoding="utf-8").splitlines()
    events: list[dict[str, Any]] = [json.loads(line) for line in lines]
    windows = [event for event in events if event["event"] == "window"]
    return [{n: v for n, v in window.items() if n != "time_s"} for window in windows]


def test_two_and_two_windows_are_four(tmp_path: Path) -> None:
    run(tmp_path / "whole", 4)
    run(tmp_path / "parts", 2)
    run(tmp_path / "parts", 4)
    assert windows_of(tmp_path / "parts") == windows_of(tmp_path / "whole")
    assert weights_of(tmp_path / "parts") == weights_of(tmp_path / "whole")
    scores = [window["score"] for window in windows_of(tmp_path / "whole")]
    assert np.isfinite([score for score in scores if score is not None]).all()
