"""Runs to be killed and resumed: a small agent on CartPole, tuned, evolved, vectorised."""

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import gymnasium
import numpy as np
from gymnasium.vector import SyncVectorEnv
from numpy.typing import NDArray

from optix_core import (
    BackoffOptimizer,
    BaseAgent,
    BaseOptimizer,
    CheckpointRegistry,
    Domain,
    EpisodeData,
    HyperparamSet,
    LoopCallback,
    OptunaOptimizer,
    PBTOptimizer,
    PopulationOptimizer,
    RLOptimizer,
    RunReport,
)
from optix_core.decisions import RESUMABLE
from optix_core.generator_state import generator_from_state, generator_state
from optix_core.replay_extent import ReplayExtent
from optix_core.state_store import StateStore
from optix_core.weights_file import load_arrays, save_arrays
from optix_evolve import EnsembleAgent, PolicyManager
from optix_pipelines import BatchPipeline, EpisodePipeline, make_vector


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

    def action_distribution(self, observations: NDArray[Any]) -> NDArray[Any]:
        """Return the chances of both actions, from which an ensemble draws."""
        return self.shares(observations)

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


class Steered(Softmax):
    """A `Softmax` whose step size the loop holds."""

    def hyperparam_space(self) -> Mapping[str, Domain]:
        """Say which hyperparameter is the step size."""
        return {"learning_rate": Domain(low=1e-4, high=1.0, log=True, role="step_size")}


def make_steered() -> Steered:
    """For `optix train --agent`."""
    return Steered(1)


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


TUNERS: dict[str, Callable[[], BaseOptimizer]] = {
    "backoff": BackoffOptimizer,
    "replay": BackoffOptimizer,
    "evidence": lambda: BackoffOptimizer(mode="evidence"),
    "pbt": lambda: PBTOptimizer(seed=2),
    "population": lambda: PopulationOptimizer(n_members=3, n_episodes=2, waits=False),
    "optuna": lambda: OptunaOptimizer(n_trials=3, rungs=2, rung_windows=2, n_episodes=2),
}
AGENTS: dict[str, Callable[[int], Softmax]] = {"replay": Remembering, "steered": Steered}
EVOLVED = ("spawns", "ensemble")
BRANCHING = ("evidence", "population", "optuna")


def build(kind: str, directory: Path, callback: LoopCallback) -> tuple[RLOptimizer, list[Any]]:
    """A run with everything new, as a process builds it; and where its agents will be."""
    given = AGENTS.get(kind, Softmax)(1)
    settings: dict[str, Any] = {
        "callbacks": [callback],
        "optimizer": TUNERS[kind]() if kind in TUNERS else None,
        "plateau_threshold": 2,
        "dormant_threshold": 2 if kind in ("spawns", "watchdog") else 99,
    }
    if kind == "watchdog":
        settings |= {"watchdog": True, "max_interval_episodes": 2}
    agent: BaseAgent = given
    agents: list[Any] = [given]
    if kind in EVOLVED:
        manager = evolution(given, directory, settings)
        agents.append(manager)
        if kind == "ensemble":
            for seed in (50, 51):
                manager.add_agent(Softmax(seed))
            agent = EnsembleAgent(manager, given, seed=5)
    optimizer = RLOptimizer(
        agent,
        BatchPipeline(environment(kind), window_size=40),
        val_pipeline=EpisodePipeline(
            gymnasium.make("CartPole-v1"), n_episodes=3, max_steps=examined_steps(kind)
        ),
        checkpoint_dir=directory,
        max_episodes=windows(kind),
        max_snapshots=4,
        seed=7,
        resume=True,
        **settings,
    )
    return optimizer, agents


def windows(kind: str) -> int:
    """The budget, of which branches take their part; members take long to be asked."""
    return 24 if kind in BRANCHING else 6 if kind == "ensemble" else 12


def examined_steps(kind: str) -> int:
    """Of an episode: no policy is better than one that always gets so far, and none plays off.

    A play-off takes longer than the rest of the run; two kinds have one.
    """
    return 60 if kind in ("spawns", "replay", "watchdog") else 25


def environment(kind: str) -> Any:
    """One environment, several as arrays, or several as objects."""
    if kind in ("pbt", "population"):
        return make_vector("CartPole-v1", 3)
    if kind in EVOLVED:
        return SyncVectorEnv([lambda: gymnasium.make("CartPole-v1")] * 2)
    return gymnasium.make("CartPole-v1")


def evolution(agent: Softmax, directory: Path, settings: dict[str, Any]) -> PolicyManager:
    """Let variants of an agent grow."""
    manager = PolicyManager(CheckpointRegistry(directory), max_spawns=2, max_ensemble_size=3)
    manager.add_agent(agent)
    seeds = iter(range(100, 200))
    settings["callbacks"].append(
        manager.as_callback(agent, agent_factory=lambda: Softmax(next(seeds)), stream=io.StringIO())
    )
    return manager


def marks(directory: Path, report: RunReport, agents: list[Any]) -> str:
    """All that a run came to, but for times, as text to be compared."""
    lines = (directory / "events.jsonl").read_text().splitlines()
    events: list[dict[str, Any]] = [json.loads(line) for line in lines]
    all_agents: list[Softmax] = [agents[0]]
    status: Any = None
    if len(agents) > 1:
        manager: PolicyManager = agents[1]
        all_agents += [agent for agent in manager.agents if isinstance(agent, Softmax)]
        status = manager.status()
    everything = {
        "journal": [{n: v for n, v in event.items() if n[:5] != "time_"} for event in events],
        "report": {name: getattr(report, name) for name in RunReport.__slots__ if name != "time_s"},
        "agents": [[agent.weights, agent.params] for agent in all_agents],
        "memories": [agent.state_dict() for agent in all_agents],
        "status": status,
        "snapshots": {path.name: files(path) for path in directory.glob("snapshot-*")},
        # A run that ended by itself leaves the last state that was saved in time.
        "state": state(directory) if report.stop_reason in RESUMABLE else None,
    }
    return json.dumps(everything, default=plain, sort_keys=True, indent=1)


def state(directory: Path) -> Any:
    """The state that a run left: what the next windows would have begun with."""
    saved = StateStore(directory / "state").load()
    assert saved is not None
    tree: Any = json.loads(json.dumps(saved.tree, default=plain), object_hook=joined)
    del tree["position"]["journal_bytes"], tree["run"]["progress"]["time_s"]
    return [tree, files(saved.files), saved.rows]


def joined(record: dict[str, Any]) -> dict[str, Any]:
    """The actions since a reset as one list: how they are parted tells when states were saved."""
    if "are_python" in record:
        assert len(set(record.pop("are_python"))) <= 1
        record["parts"] = [action for part in record["parts"] for action in part]
    return record


def files(folder: Path) -> dict[str, str]:
    """What lies in a folder, but for the tree of a state, which is compared as what it says."""
    return {
        str(path.relative_to(folder)): path.read_bytes().hex()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("state.json", "arrays")
    }


def plain(value: Any) -> Any:
    """Arrays as lists."""
    is_array = isinstance(value, np.ndarray | np.generic)
    return cast("Any", value).tolist() if is_array else repr(value)
