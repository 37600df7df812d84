"""Run as a module: trains a Keras agent with a memory, is killed at a change of files, or resumes.

TensorFlow's threads do not outlive a fork, so that each run is a process of its own.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import gymnasium

from optix_core import BaseAgent, HyperparamSet, RLOptimizer, state_keeper
from optix_pipelines import BatchPipeline, make_vector
from optix_tf import DQNAgent, PPOAgent, SACAgent, TD3Agent
from optix_tf._tensorflow import tf

from .resume_scene import plain, state
from .write_killer import Changes

AGENTS: dict[str, Any] = {"dqn": DQNAgent, "sac": SACAgent, "td3": TD3Agent, "ppo": PPOAgent}
REMEMBERS: dict[str, Any] = {
    "batch_size": 8, "warmup_steps": 20, "updates_per_step": 0.1, "buffer_size": 60,
    "is_prioritised": True,
}  # fmt: skip


def make_agent(kind: str, env: Any) -> BaseAgent:
    """Its memory of 60 rows is full after three windows, and lies in several files."""
    return AGENTS[kind].for_spaces(
        env.observation_space,
        env.action_space,
        seed=3,
        hyperparams=HyperparamSet({} if kind == "ppo" else REMEMBERS),
        hidden=(4,),
        jit_compile=False,
    )


def run(kind: str, directory: Path) -> str:
    """Begin a run or take it up; returns what it came to, as text."""
    env_id = "CartPole-v1" if kind in ("dqn", "ppo") else "Pendulum-v1"
    agent = make_agent(kind, gymnasium.make(env_id))
    # Several environments as arrays, or one that is put back by its reset and its actions.
    env = make_vector(env_id, 2) if env_id == "CartPole-v1" else gymnasium.make(env_id)
    optimizer = RLOptimizer(
        agent,
        BatchPipeline(env, window_size=24),
        checkpoint_dir=directory,
        max_episodes=6,
        seed=0,
        resume=True,
    )
    report = optimizer.run()
    lines = (directory / "events.jsonl").read_text(encoding="utf-8").splitlines()
    events: list[dict[str, Any]] = [json.loads(line) for line in lines]
    everything = {
        "journal": [{n: v for n, v in event.items() if n[:5] != "time_"} for event in events],
        "best": report.best_score,
        "params": agent.get_hyperparams().params,
        "state": state(directory),
    }
    return json.dumps(everything, default=plain, sort_keys=True)


def main(kind: str, directory: Path, kill_at: int) -> None:
    """Says how many changes of files the run made, and leaves its marks beside its directory."""
    os.fsync = lambda fd: None  # a kill loses nothing that was written
    state_keeper.SHARE = float("inf")
    tf.config.run_functions_eagerly(run_eagerly=True)
    changes = Changes(kill_at)
    marks = run(kind, directory)
    changes.check_complete()
    sys.stdout.write(str(changes.count))
    directory.with_suffix(".marks").write_text(marks)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
