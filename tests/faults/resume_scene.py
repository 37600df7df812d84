"""Runs to be killed and resumed: a small agent on CartPole, tuned, evolved, vectorised."""

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import SyncVectorEnv
from numpy.typing import NDArray

from optix_core import (
    BackoffOptimizer,
    BaseAgent,
    CheckpointRegistry,
    EpisodeData,
    HyperparamSet,
    LoopCallback,
    PBTOptimizer,
    RLOptimizer,
    RunReport,
)
from optix_core.generator_state import generator_from_state, generator_state
from optix_core.replay_extent import ReplayExtent
from optix_core.weights_file import load_arrays, save_arrays
from optix_evolve import EnsembleAgent, PolicyManager
from optix_pipelines import BatchPipeline, EpisodePipeline, make_vector

WINDOWS = 24
Steps = Callable[[Path], LoopCallback]


class Softmax(BaseAgent):
    """Four inputs, two actions, a momentum: a policy gradient in a few lines."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.weights = {"kernel": self.rng.normal(size=(4, 2)), "momentum": np.zeros((4, 2))}
        self.params: dict[str, Any] = {"learning_rate": 0.01, "decay": 0.5}

    def shares(self, observations: NDArray[Any]) -> NDArray[Any]:
        logits = (
            np.asarray(observations, np.float64)[..., np.newaxis] * self.weights["kernel"]
        ).sum(-2)
        chances = np.exp(logits - logits.max(-1, keepdims=True))
        return chances / chances.sum(-1, keepdims=True)

    def act(self, observation: Any) -> Any:
        return int(self.act_batch(np.asarray(observation)[np.newaxis])[0])

    def act_batch(self, observations: NDArray[Any]) -> Any:
        """Draw one action a row."""
        return (self.rng.random(len(observations)) > self.shares(observations)[:, 0]).astype(
            np.int64
        )

    def act_greedy(self, observation: Any) -> Any:
        """Return the likelier action."""
        return int(self.shares(observation).argmax())

    def learn(self, episode_data: EpisodeData) -> dict[str, Any]:
        observations = episode_data.observations.reshape(-1, 4).astype(np.float64)
        actions = episode_data.actions.reshape(-1).astype(np.int64)
        gradient = observations.T @ (np.eye(2)[actions] - self.shares(observations))
        momentum = self.params["decay"] * self.weights["momentum"] + gradient
        kernel = self.weights["kernel"] + self.params["learning_rate"] * momentum / len(actions)
        self.weights = {"kernel": np.clip(kernel, -9, 9), "momentum": momentum}
        return {"norm": float(np.abs(gradient).sum())}

    def get_hyperparams(self) -> HyperparamSet:
        return HyperparamSet(dict(self.params))

    def set_hyperparams(self, hp: HyperparamSet) -> None:
        self.params = dict(hp.params)

    def save_weights(self, path: str) -> None:
        save_arrays(path, self.weights)

    def load_weights(self, path: str) -> None:
        self.weights = load_arrays(path, self.weights)

    def state_dict(self) -> dict[str, Any]:
        """Return the generator's state."""
        return {"rng": generator_state(self.rng)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put the generator back."""
        self.rng = generator_from_state(state["rng"])


class Remembering(Softmax):
    """A `Softmax` that also learns from the newest hundred steps that it drew at random."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.rows = np.zeros((0, 5))
        self.appended = 0
        self.history = object()

    def learn(self, episode_data: EpisodeData) -> dict[str, Any]:
        diagnostics = super().learn(episode_data)
        seen = episode_data.observations.reshape(-1, 4)
        new = np.column_stack((seen, episode_data.actions.reshape(-1)))
        self.rows = np.concatenate((self.rows, new))[-100:]
        self.appended += len(new)
        drawn = self.rows[self.rng.integers(len(self.rows), size=8)]
        self.weights["kernel"] += 1e-3 * drawn[:, :4].T @ np.eye(2)[drawn[:, 4].astype(np.int64)]
        return diagnostics

    def replay_extent(self) -> ReplayExtent | None:
        """Say which steps are held."""
        if not self.appended:
            return None
        return ReplayExtent(history=self.history, appended=self.appended, capacity=100)

    def replay_rows(self, start: int, end: int) -> dict[str, NDArray[Any]]:
        """Return steps."""
        first = self.appended - len(self.rows)
        return {"step": self.rows[start - first : end - first]}

    def state_without_replay(self) -> dict[str, Any]:
        """Return all but the steps."""
        return {**super().state_dict(), "appended": self.appended}

    def load_with_replay(self, state: Mapping[str, Any], rows: Mapping[str, NDArray[Any]]) -> None:
        """Put all back."""
        super().load_state_dict(state)
        self.appended, self.history = state["appended"], object()
        self.rows = rows["step"].copy()

    def state_dict(self) -> dict[str, Any]:
        """Return everything."""
        return {**self.state_without_replay(), "rows": self.rows}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put everything back."""
        self.load_with_replay(state, {"step": state["rows"]})


def build(kind: str, directory: Path, callback: LoopCallback) -> tuple[RLOptimizer, list[Any]]:
    """A run with everything new, as a process builds it; and where its agents will be."""
    agents: list[Any] = [Remembering(1) if kind == "replay" else Softmax(1)]
    settings: dict[str, Any] = {"plateau_threshold": 2, "dormant_threshold": 99}
    callbacks = [callback]
    agent: BaseAgent = agents[0]
    env: Any = gymnasium.make("CartPole-v1")
    if kind in ("backoff", "replay"):
        settings["optimizer"] = BackoffOptimizer()
    elif kind == "evidence":
        settings["optimizer"] = BackoffOptimizer(mode="evidence")
    elif kind == "pbt":
        settings["optimizer"] = PBTOptimizer(seed=2)
        env = make_vector("CartPole-v1", 3)
    else:
        env = SyncVectorEnv([lambda: gymnasium.make("CartPole-v1")] * 2)
        settings["dormant_threshold"] = 3
        manager = PolicyManager(CheckpointRegistry(directory), max_spawns=3, max_ensemble_size=3)
        seeds = iter(range(100, 200))
        agents = manager.agents
        manager.add_agent(agent)
        evolution = manager.as_callback(
            agent, agent_factory=lambda: Softmax(next(seeds)), stream=io.StringIO()
        )
        callbacks.append(evolution)
        agents = [agent, manager]
        if kind == "ensemble":
            for seed in (50, 51):
                manager.add_agent(Softmax(seed))
            agent = EnsembleAgent(manager, agent)
            settings["dormant_threshold"] = 99
    optimizer = RLOptimizer(
        agent,
        BatchPipeline(env, window_size=40),
        val_pipeline=EpisodePipeline(gymnasium.make("CartPole-v1"), n_episodes=3, max_steps=60),
        checkpoint_dir=directory,
        max_episodes=WINDOWS,
        max_snapshots=4,
        callbacks=callbacks,
        seed=7,
        resume=True,
        **settings,
    )
    return optimizer, agents


def marks(directory: Path, report: RunReport, agents: list[Any]) -> str:
    """All that a run came to, but for times, as text to be compared."""
    lines = (directory / "events.jsonl").read_text().splitlines()
    events: list[dict[str, Any]] = [json.loads(line) for line in lines]
    journal = [{n: v for n, v in event.items() if not n.startswith("time_")} for event in events]
    named = {name: getattr(report, name) for name in RunReport.__slots__ if name != "time_s"}
    all_agents: list[Softmax] = [agents[0]]
    status: Any = None
    if len(agents) > 1:
        manager: PolicyManager = agents[1]
        all_agents += [agent for agent in manager.agents if isinstance(agent, Softmax)]
        status = manager.status()
    weights = [
        [{n: a.tolist() for n, a in agent.weights.items()}, agent.params, agent.state_dict()]
        for agent in all_agents
    ]
    return json.dumps([journal, named, weights, status], default=str)
