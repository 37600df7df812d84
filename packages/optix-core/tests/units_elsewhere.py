"""A run whose units are done in other processes, and what these processes run.

Its agent has a generator, a replay memory and a steered step size, and nothing that a unit could
do without: it explores on held-out episodes too, and is asked through `act` how it has changed.
"""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from optix_core import (
    BackoffOptimizer,
    BaseAgent,
    BaseOptimizer,
    Domain,
    EpisodeData,
    HyperparamSet,
    PopulationOptimizer,
    RLOptimizer,
    SimplePipeline,
    UnitResult,
    WorkUnit,
)
from optix_core.environment_pipeline import EnvironmentPipeline, Players
from optix_core.generator_state import generator_from_state, generator_state
from optix_core.replay_extent import ReplayExtent
from optix_core.scalar_collector import ScalarCollector
from optix_core.weights_file import load_arrays, save_arrays

from .listed_memory import ListedMemory, columns

TUNERS: dict[str, Any] = {
    "population": lambda: PopulationOptimizer(n_members=3, waits=False),
    "evidence": lambda: BackoffOptimizer(mode="evidence"),
    "none": lambda: None,
}
PACKAGE = Path(__file__).parents[1]


class SignWalk:
    """Pays for telling the sign of a number that is drawn anew at each step, less some noise."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng()
        self.x = 0.0

    def reset(self, *, seed: int | None = None) -> tuple[Any, dict[str, Any]]:
        if seed is not None:
            self.rng = np.random.default_rng(seed)
        return self._observe(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        reward = (1.0 if (self.x > 0) == action else -1.0) + 0.1 * self.rng.normal()
        return self._observe(), reward, bool(self.rng.random() < 0.1), False, {}

    def _observe(self) -> Any:
        self.x = float(self.rng.normal())
        return np.array([self.x])


class Sampler(BaseAgent):
    """Answers 1 with probability σ(w x), w grown by what rows of its memory tell, drawn at random.

    It offers no way to act but by its generator, on held-out episodes too.
    """

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.weights = {"w": np.zeros(1), "momentum": np.zeros(1)}
        self.params: dict[str, Any] = {"learning_rate": 0.1, "decay": 0.5}
        self.memory = ListedMemory(capacity=70)

    def act(self, observation: Any) -> Any:
        odds = 1.0 / (1.0 + np.exp(-self.weights["w"] * observation[0]))
        return int(self.rng.random() < odds[0])

    def learn(self, episode_data: EpisodeData) -> dict[str, Any]:
        signs = 2.0 * episode_data.actions - 1.0
        rows = episode_data.rewards * signs * episode_data.observations[:, 0]
        self.memory.values.extend(rows.tolist())
        drawn = self.rng.choice(np.array(self.memory.held), 10)
        momentum = self.params["decay"] * self.weights["momentum"] + drawn.mean()
        w = self.weights["w"] + self.params["learning_rate"] * momentum
        self.weights = {"w": w, "momentum": momentum}
        return {}

    def get_hyperparams(self) -> HyperparamSet:
        return HyperparamSet(dict(self.params))

    def set_hyperparams(self, hp: HyperparamSet) -> None:
        self.params = dict(hp.params)

    def hyperparam_space(self) -> Mapping[str, Domain]:
        """The step size, and one more to move on branches."""
        return {
            "learning_rate": Domain(low=1e-6, high=1.0, log=True, role="step_size"),
            "decay": Domain(low=0.01, high=0.99),
        }

    def save_weights(self, path: str) -> None:
        save_arrays(path, self.weights)

    def load_weights(self, path: str) -> None:
        self.weights = load_arrays(path, self.weights)

    def state_dict(self) -> dict[str, Any]:
        """Return generator and memory."""
        return {**self.state_without_replay(), "held": columns(self.memory.held)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put both back."""
        self.load_with_replay(state, state["held"])

    def replay_extent(self) -> ReplayExtent | None:
        """Say what the memory holds."""
        return self.memory.replay_extent()

    def replay_rows(self, start: int, end: int) -> dict[str, NDArray[Any]]:
        """Return rows."""
        return self.memory.replay_rows(start, end)

    def state_without_replay(self) -> dict[str, Any]:
        """Return all but the rows."""
        return {"rng": generator_state(self.rng), "memory": self.memory.state_without_replay()}

    def load_with_replay(self, state: Mapping[str, Any], rows: Mapping[str, NDArray[Any]]) -> None:
        """Put all back."""
        self.rng = generator_from_state(state["rng"])
        self.memory.load_with_replay(state["memory"], rows)


class HeldOut(EnvironmentPipeline):
    """Whole episodes, on ten seeds or on any."""

    def __init__(self) -> None:
        super().__init__(ScalarCollector(SignWalk(), time.time), None)

    def play_episodes(self, seeds: Sequence[int]) -> EpisodeData:
        """Play one episode a seed."""
        return self._play_on(seeds, self._seated(), self._window_id)

    def _play(self, players: Players, window_id: int) -> EpisodeData:
        return self._play_on(range(10), players, window_id)

    def _play_on(self, seeds: Sequence[int], players: Players, window_id: int) -> EpisodeData:
        with players.held_out.untraced():
            return self._collector.collect_episodes(
                players.held_out, list(seeds), max_steps=100, window_id=window_id
            )

    def _collector_state(self) -> None:
        return None


VALIDATIONS: dict[str, Any] = {
    "episodes": HeldOut,
    "windows": lambda: SimplePipeline(SignWalk(), window_size=40),
    "nothing": lambda: None,
}


def optimizer_in(directory: Path, tuner: BaseOptimizer | None, **settings: Any) -> RLOptimizer:
    """A run with everything new."""
    given: dict[str, Any] = {"max_episodes": 50, "seed": 0}
    return RLOptimizer(
        settings.pop("agent", None) or Sampler(1),
        SimplePipeline(SignWalk(), window_size=30),
        val_pipeline=VALIDATIONS[settings.pop("validation", "episodes")](),
        optimizer=tuner,
        checkpoint_dir=directory,
        **(given | settings),
    )


class OtherProcesses:
    """An executor whose units are done in two other processes, the last that was asked for first.

    Plain values go there and come back: JSON.
    """

    def __init__(self, directory: Path, validation: str) -> None:
        command = [sys.executable, "-m", "tests.units_elsewhere", str(directory), validation]
        self.workers = [
            subprocess.Popen(
                command, cwd=PACKAGE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            for _ in range(2)
        ]
        self.units: list[WorkUnit] = []

    def submit(self, unit: WorkUnit) -> int:
        self.units.append(unit)
        return len(self.units) - 1

    def wait(self, handles: Sequence[int]) -> list[UnitResult]:
        results: dict[int, UnitResult] = {}
        for handle in reversed(handles):
            worker = self.workers[handle % 2]
            assert worker.stdin is not None
            assert worker.stdout is not None
            worker.stdin.write(msgspec.json.encode(self.units[handle]).decode() + "\n")
            worker.stdin.flush()
            results[handle] = msgspec.json.decode(worker.stdout.readline(), type=UnitResult)
        return [results[handle] for handle in handles]

    def close(self) -> None:
        for worker in self.workers:
            worker.communicate()


def work(directory: Path, validation: str) -> None:
    """Do units that come in, one a line, each with parts that are new and of another seed."""
    os.fsync = lambda fd: None
    for number, line in enumerate(sys.stdin, 100):
        unit = msgspec.json.decode(line, type=WorkUnit)
        settings: dict[str, Any] = {"agent": Sampler(number), "seed": number}
        bench = optimizer_in(directory, None, validation=validation, **settings).workbench()
        sys.stdout.write(msgspec.json.encode(bench.do(unit)).decode() + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    work(Path(sys.argv[1]), sys.argv[2])
