"""A run with members and spawns that is taken up again equals one that was not interrupted."""

import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from optix_core import CheckpointRegistry, EvalMetrics, LoopCallback, RLOptimizer, SimplePipeline
from optix_core.errors import ConfigurationError
from optix_evolve import MetaAction, PolicyManager, RegimeDetector

from .learning_policies import Picker


class Walk:
    """Four inputs that drift by draws; the first action pays where the first is positive."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng()

    def reset(self, *, seed: int | None = None) -> tuple[Any, dict[str, Any]]:
        if seed is not None:
            self.rng = np.random.default_rng(seed)
        self.place = self.rng.normal(size=4)
        return self.place.copy(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        reward = float((self.place[0] > 0) == (int(action) == 0))
        self.place += self.rng.normal(size=4)
        return self.place.copy(), reward, bool(self.rng.random() < 0.1), False, {}


class InTurns:
    """Goes on, spawns, goes on, spawns."""

    def __init__(self) -> None:
        self.n_asked = 0

    def decide(self, metrics_history: Sequence[EvalMetrics], status: Any) -> MetaAction:
        self.n_asked += 1
        return MetaAction.SPAWN if self.n_asked % 2 == 0 else MetaAction.NO_OP

    def state_dict(self) -> dict[str, Any]:
        """Return the count."""
        return {"n_asked": self.n_asked}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put the count back."""
        self.n_asked = state["n_asked"]


class Bomb(LoopCallback):
    def __init__(self, window_id: int) -> None:
        self.window_id = window_id

    def on_episode_end(self, window_id: int, metrics: EvalMetrics | None) -> None:
        if window_id == self.window_id:
            raise KeyboardInterrupt


def run(directory: Path, *, bomb: int = -1, factory: bool = True, **options: Any) -> str:
    """Begin a run or take it up, with everything new; returns what it came to, as text."""
    agent = Picker(seed=1)
    manager = PolicyManager(CheckpointRegistry(directory), max_spawns=3, max_ensemble_size=3)
    manager.add_agent(agent)
    seeds = iter(range(10, 99))
    evolution = manager.as_callback(
        agent,
        agent_factory=(lambda: Picker(seed=next(seeds))) if factory else None,
        stream=io.StringIO(),
        **options,
    )
    report = RLOptimizer(
        agent,
        SimplePipeline(Walk(), window_size=40),
        checkpoint_dir=directory,
        max_episodes=20,
        plateau_threshold=1,
        dormant_threshold=2,
        callbacks=[Bomb(bomb), evolution],
        seed=4,
        resume=True,
    ).run()
    lines = (directory / "events.jsonl").read_text(encoding="utf-8").splitlines()
    events: list[dict[str, Any]] = [json.loads(line) for line in lines]
    kernels = [member.kernel.tolist() for member in manager.agents if isinstance(member, Picker)]
    states = [member.state_dict() for member in manager.agents if isinstance(member, Picker)]
    journal = [{n: v for n, v in event.items() if not n.startswith("time_")} for event in events]
    return json.dumps([journal, kernels, states, manager.status(), report.best_score])


OPTIONS: dict[str, Callable[[], dict[str, Any]]] = {
    "as long as the budget lasts": dict,
    "by a controller": lambda: {"meta_controller": InTurns()},
    "with regimes": lambda: {"regime_detector": RegimeDetector()},
}


@pytest.fixture(autouse=True)
def without_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    def keep(handle: int) -> None:
        """Leave it to the cache: nobody cuts the power here."""

    monkeypatch.setattr("os.fsync", keep)
    monkeypatch.setattr("optix_core.state_keeper.SHARE", float("inf"))


@pytest.mark.parametrize("name", OPTIONS)
def test_an_interrupted_run_goes_on(tmp_path: Path, name: str) -> None:
    whole = run(tmp_path / "whole", **OPTIONS[name]())
    assert '"spawned"' in whole
    for bomb in (1, 6, 13):
        directory = tmp_path / f"parts-{bomb}"
        with pytest.raises(KeyboardInterrupt):
            run(directory, bomb=bomb, **OPTIONS[name]())
        assert run(directory, **OPTIONS[name]()) == whole


def test_variants_need_their_factory_again(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, bomb=13)
    with pytest.raises(ConfigurationError, match="give agent_factory to make them again"):
        run(tmp_path, factory=False)


def test_members_of_the_beginning_are_needed_again(tmp_path: Path) -> None:
    agent = Picker(seed=1)

    def optimizer(members: int, windows: int) -> RLOptimizer:
        manager = PolicyManager(CheckpointRegistry(tmp_path))
        for member in [agent, *(Picker(seed=n) for n in range(2, members + 1))]:
            manager.add_agent(member)
        return RLOptimizer(
            agent,
            SimplePipeline(Walk(), window_size=40),
            checkpoint_dir=tmp_path,
            max_episodes=windows,
            callbacks=[manager.as_callback(agent, stream=io.StringIO())],
            seed=4,
            resume=True,
        )

    optimizer(3, 2).run()
    with pytest.raises(ConfigurationError, match="a member 2 that is not there"):
        optimizer(2, 4).run()
    assert optimizer(3, 4).run().windows == 4
