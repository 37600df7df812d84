"""A stochastic environment, an agent that learns in it, and the marks that a run leaves."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np

from optix_core import EpisodeData, RLOptimizer, RunReport, SimplePipeline
from optix_core.state_store import StateStore

from .linear_policy import LinearPolicy


class NoisyWalk:
    """A walk whose steps and ends are drawn; the observation is what is left to go."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng()
        self.place = np.zeros(3)
        self.n_resets = 0

    def reset(self, *, seed: int | None = None) -> tuple[Any, dict[str, Any]]:
        self.n_resets += 1
        if seed is not None:
            self.rng = np.random.default_rng(seed)
        self.place = self.rng.normal(size=3)
        return self.place.copy(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.place += 0.1 * self.rng.normal(size=3)
        self.place[int(action) % 3] *= 0.9
        reward = -float(np.abs(self.place).sum()) / 10
        return self.place.copy(), reward, bool(self.rng.random() < 0.1), False, {}


class Learner(LinearPolicy):
    """A `LinearPolicy` that also counts what it learned from."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.rows = 0

    def learn(self, episode_data: EpisodeData) -> dict[str, Any]:
        self.rows += episode_data.length
        self.params["learning_rate"] = min(self.params["learning_rate"], 0.5)
        diagnostics = super().learn(episode_data)
        for weights in self.weights.values():
            np.clip(weights, -5.0, 5.0, out=weights)
        return diagnostics

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "rows": self.rows}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self.rows = state["rows"]


def optimizer_in(
    directory: Path, windows: int, *, resume: bool = False, agent: Any = None, **settings: Any
) -> RLOptimizer:
    """A run of so many windows with everything new, as a process would build it."""
    pipeline = settings.pop("pipeline", None) or SimplePipeline(NoisyWalk(), window_size=30)
    given: dict[str, Any] = {
        "val_pipeline": SimplePipeline(NoisyWalk(), window_size=40),
        "checkpoint_dir": directory,
        "max_episodes": windows,
        "seed": 5,
        "resume": resume,
        **settings,
    }
    return RLOptimizer(agent or Learner(1), pipeline, **given)


def marks_of(directory: Path) -> dict[str, Any]:
    """All that a run left but times: journal, state with its files, and the list of snapshots."""
    saved = StateStore(directory / "state").load()
    assert saved is not None
    tree: dict[str, Any] = json.loads(json.dumps(saved.tree, default=_plain))
    del tree["position"]["journal_bytes"]
    del tree["run"]["progress"]["time_s"]
    everything = sorted(path for path in saved.files.rglob("*") if path.is_file())
    files = [path for path in everything if path.name != "state.json"]
    rows = saved.rows or {}
    return {
        "rows": {name: column.tobytes() for name, column in rows.items()},
        "journal": journal_of(directory),
        "state": tree,
        "files": {str(path.relative_to(saved.files)): path.read_bytes() for path in files},
    }


def journal_of(directory: Path) -> list[dict[str, Any]]:
    """The journal without what the clock says."""
    lines = (directory / "events.jsonl").read_text().splitlines()
    events: list[dict[str, Any]] = [json.loads(line) for line in lines]
    return [{n: v for n, v in event.items() if not n.startswith("time_")} for event in events]


def same_but_for_time(left: RunReport, right: RunReport) -> bool:
    """Whether two reports say the same, times apart."""
    names = [name for name in RunReport.__slots__ if name != "time_s"]
    return all(getattr(left, name) == getattr(right, name) for name in names)


def _plain(value: Any) -> Any:
    is_array = isinstance(value, np.ndarray | np.generic)
    return cast("Any", value).tolist() if is_array else repr(value)
