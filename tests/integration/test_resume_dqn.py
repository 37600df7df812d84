"""A Keras agent with a memory in files of rows is taken up as it was, whenever it was killed."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from optix_core import HyperparamSet, RLOptimizer, state_keeper
from optix_core.state_store import StateStore
from optix_pipelines import BatchPipeline, make_vector
from optix_tf import DQNAgent
from optix_tf._tensorflow import tf

WINDOWS, KILLED_AFTER = 7, 5
CALLS = ("mkdir", "write", "fsync", "ftruncate", "rename", "unlink", "rmdir")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Save after each window, wait for no disk, and compile nothing."""

    def keep(handle: int) -> None:
        """Leave it to the cache."""

    monkeypatch.setattr(os, "fsync", keep)
    monkeypatch.setattr(state_keeper, "SHARE", float("inf"))
    tf.config.run_functions_eagerly(run_eagerly=True)
    yield
    tf.config.run_functions_eagerly(run_eagerly=False)


def run(directory: Path, windows: int = WINDOWS) -> DQNAgent:
    """Begin a run, or take it up; windows of 24 steps, of which the last 60 are remembered."""
    env = gymnasium.make("CartPole-v1")
    params = {"batch_size": 8, "warmup_steps": 20, "updates_per_step": 0.1, "buffer_size": 60}
    agent = DQNAgent.for_spaces(
        env.observation_space,
        env.action_space,
        seed=3,
        hyperparams=HyperparamSet(params | {"is_prioritised": True}),
        hidden=(4,),
        jit_compile=False,
    )
    pipeline = BatchPipeline(make_vector("CartPole-v1", 2), window_size=12)
    RLOptimizer(
        agent, pipeline, checkpoint_dir=directory, max_episodes=windows, seed=0, resume=True
    ).run()
    return agent


def marks(directory: Path, agent: DQNAgent) -> dict[str, Any]:
    saved = StateStore(directory / "state").load()
    assert saved is not None
    lines = (directory / "events.jsonl").read_text(encoding="utf-8").splitlines()
    events: list[dict[str, Any]] = [json.loads(line) for line in lines]
    return {
        "agent": agent.state_dict(),
        "weights": (saved.files / "learner").read_bytes(),
        "rows": saved.rows,
        "windows": [
            {n: v for n, v in event.items() if not n.startswith("time_")}
            for event in events
            if event["event"] == "window"
        ],
    }


def copied_before_each_call(
    monkeypatch: pytest.MonkeyPatch, run_path: Path, copies: Path
) -> list[Path]:
    """Have the directory copied before each change of one save: what a kill then leaves."""
    made: list[Path] = []
    is_copying = False

    def wrap(plain: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal is_copying
            if not is_copying:
                is_copying = True
                made.append(copies / str(len(made)))
                shutil.copytree(run_path, made[-1])
                is_copying = False
            return plain(*args, **kwargs)

        return call

    save, n_saves = StateStore.save, 0

    def save_watched(*args: Any) -> None:
        nonlocal n_saves
        n_saves += 1
        # The first save is that of a run that has not played yet.
        if n_saves != 1 + KILLED_AFTER:
            return save(*args)
        with pytest.MonkeyPatch.context() as patch:
            for name in CALLS:
                patch.setattr(os, name, wrap(getattr(os, name)))
            return save(*args)

    monkeypatch.setattr(StateStore, "save", save_watched)
    return made


def test_killed_at_every_change_of_a_save_it_equals_the_uninterrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        made = copied_before_each_call(patch, tmp_path / "whole", tmp_path)
        whole = marks(tmp_path / "whole", run(tmp_path / "whole"))
    assert whole["rows"] is not None
    assert len(whole["rows"]["reward"]) == 60
    assert len(made) > 12
    for directory in made[::3]:
        np.testing.assert_equal(marks(directory, run(directory)), whole)
