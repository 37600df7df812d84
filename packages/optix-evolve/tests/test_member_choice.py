"""Members that are chosen on episodes: by a run with sound signals, and by the manager."""

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from optix_core import (
    BaseAgent,
    BasePipeline,
    CheckpointRegistry,
    EpisodeData,
    LoopCallback,
    RLOptimizer,
    SimplePipeline,
    StopReason,
)
from optix_core.errors import ConfigurationError
from optix_core.testing import FakeAgent, ScriptedPipeline
from optix_evolve import EnsembleAgent, PolicyManager, choose_members
from optix_evolve.score_window import Signals

from .learning_policies import Picker, SaysHowLikely, Steerer
from .test_resume import Walk


class HeldOut(BasePipeline):
    """Windows of a walk, and single episodes of it; keeps on which seeds these were."""

    def __init__(self) -> None:
        self.windows = SimplePipeline(Walk(), window_size=60)
        self.asked: list[list[int]] = []
        self.agent: BaseAgent

    def setup(self) -> None:
        self.windows.setup()

    def teardown(self) -> None:
        self.windows.teardown()

    def set_agent(self, agent: BaseAgent) -> None:
        self.agent = agent
        self.windows.set_agent(agent)

    def episodes(self) -> Iterator[EpisodeData]:
        return self.windows.episodes()

    def validate_on(self, seed: int) -> None:
        """Play the same windows each time."""
        self.windows.validate_on(seed)

    def state_dict(self) -> dict[str, Any]:
        """Return which window comes next."""
        return self.windows.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put it back."""
        self.windows.load_state_dict(state)

    def play_episodes(self, seeds: Sequence[int]) -> EpisodeData:
        """Each return is what twenty steps of a walk earn."""
        self.asked.append(list(seeds))
        returns = [play(self.agent, seed) for seed in seeds]
        return next(ScriptedPipeline([returns], FakeAgent()).episodes())


def play(agent: Any, seed: int) -> float:
    walk, earned = Walk(), 0.0
    observation, _ = walk.reset(seed=seed)
    for _ in range(20):
        observation, reward, *_ = walk.step(agent.act_greedy(observation))
        earned += reward
    return earned


def run(
    directory: Path, *, signals: Signals = "sound", stop: bool = False, **settings: Any
) -> tuple[PolicyManager, list[dict[str, Any]], Any]:
    class Stops(LoopCallback):
        def bind(self, loop: Any) -> None:
            self.loop = loop

        def on_episode_end(self, window_id: int, metrics: Any) -> None:
            if stop and window_id == 11:
                self.loop.stop()

    agent = Picker(seed=1)
    manager = PolicyManager(CheckpointRegistry(directory), max_spawns=2)
    seeds = iter(range(10, 99))
    evolution = manager.as_callback(
        agent,
        agent_factory=lambda: Picker(seed=next(seeds)),
        stream=io.StringIO(),
        signals=signals,
    )
    options: dict[str, Any] = {"val_pipeline": HeldOut(), **settings}
    report = RLOptimizer(
        agent,
        SimplePipeline(Walk(), window_size=40),
        checkpoint_dir=directory,
        max_episodes=12,
        plateau_threshold=1,
        dormant_threshold=2,
        callbacks=[Stops(), evolution],
        seed=4,
        **options,
    ).run()
    lines = (directory / "events.jsonl").read_text(encoding="utf-8").splitlines()
    return manager, [json.loads(line) for line in lines], report


def weights_of(manager: PolicyManager) -> list[float]:
    return [member["weight"] for member in manager.status()["agents"]]


def test_a_run_with_sound_signals_chooses_who_acts(tmp_path: Path) -> None:
    held_out = HeldOut()
    manager, events, report = run(tmp_path, val_pipeline=held_out)
    (told,) = [event for event in events if event["event"] == "ensemble_selected"]
    weights = weights_of(manager)
    assert len(weights) == 3
    assert [i for i, weight in enumerate(weights) if weight > 0] == told["members"]
    assert len({weight for weight in weights if weight > 0}) == 1
    choice = held_out.asked[-1]
    assert held_out.asked.count(choice) * len(choice) == told["episodes"]
    others = {seed for seeds in held_out.asked if seeds != choice for seed in seeds}
    assert others.isdisjoint(choice)
    assert len(choice) == 30
    alone = [play_all(agent, choice) for agent in manager.agents]
    assert [trial["mean"] for trial in told["trials"][:3]] == pytest.approx(alone)
    assert told["mean"] >= max(alone)
    assert told["steps"] > 0
    assert report.validation_steps >= told["steps"]
    kinds = [event["event"] for event in events]
    assert kinds.index("ensemble_selected") < kinds.index("ensemble")
    assert events[kinds.index("ensemble")]["status"] == manager.status()


def play_all(agent: BaseAgent, seeds: Sequence[int]) -> float:
    return float(np.mean([play(agent, seed) for seed in seeds]))


@pytest.mark.parametrize(
    "how",
    [
        {"signals": "documented"},
        {"stop": True},
        {"confirm": False},
        {"val_pipeline": None},
    ],
)
def test_otherwise_weights_follow_the_scores(tmp_path: Path, how: dict[str, Any]) -> None:
    manager, events, report = run(tmp_path, **how)
    assert [event for event in events if event["event"] == "ensemble_selected"] == []
    assert report.stop_reason is (
        StopReason.STOPPED if "stop" in how else StopReason.MAX_WINDOWS
    ) or (report.stop_reason is StopReason.BUDGET_EXHAUSTED)
    before = weights_of(manager)
    manager.auto_update_weights()
    assert weights_of(manager) == pytest.approx(before)


def test_a_longer_run_chooses_again_and_comes_to_the_same(tmp_path: Path) -> None:
    def until(name: str, max_episodes: int) -> tuple[Any, ...]:
        agent, seeds = Picker(seed=1), iter(range(10, 99))
        manager = PolicyManager(CheckpointRegistry(tmp_path / name), max_spawns=2)
        evolution = manager.as_callback(
            agent,
            agent_factory=lambda: Picker(seed=next(seeds)),
            stream=io.StringIO(),
            signals="sound",
        )
        report = RLOptimizer(
            agent,
            SimplePipeline(Walk(), window_size=40),
            val_pipeline=HeldOut(),
            checkpoint_dir=tmp_path / name,
            max_episodes=max_episodes,
            plateau_threshold=1,
            dormant_threshold=2,
            callbacks=[evolution],
            seed=4,
            resume=True,
        ).run()
        return manager.status(), report.best_score

    until("parts", 6)
    assert until("parts", 12) == until("whole", 12)


def manager_of(*agents: BaseAgent) -> PolicyManager:
    manager = PolicyManager(CheckpointRegistry("never-written"))
    for agent in agents:
        manager.add_agent(agent)
    return manager


def good(seed: int, *, sign: float = 1.0) -> Picker:
    """Chooses right where the first input is positive; others disturb it a little."""
    agent = Picker(seed=seed)
    agent.kernel *= 2.0
    agent.kernel[0] += [sign, -sign]
    return agent


def test_agents_trained_apart_are_chosen_by_the_manager() -> None:
    manager = manager_of(good(0, sign=-1.0), good(1), good(2), good(3))
    held_out = HeldOut()
    selection = manager.select_members(held_out, seed=5)
    assert 0 not in selection.members
    assert [i for i, weight in enumerate(weights_of(manager)) if weight] == list(selection.members)
    assert len(manager.agents) == 4
    (seeds,) = {tuple(each) for each in held_out.asked}
    acting = EnsembleAgent(manager, manager.agents[0], seed=0)
    assert play_all(acting, seeds) == pytest.approx(selection.chosen.mean)
    assert selection.chosen.mean >= max(play_all(agent, seeds) for agent in manager.agents)
    again = manager_of(*manager.agents).select_members(HeldOut(), seed=5)
    assert again == selection


def test_boosts_stay_in_force_and_those_left_out_stay_out() -> None:
    manager = manager_of(good(0, sign=-1.0), good(1))
    manager.boost(manager.agents[0], 9.0)
    manager.boost(manager.agents[1], 3.0)
    assert manager.select_members(HeldOut(), seed=5).members == (1,)
    assert weights_of(manager) == [0.0, 3.0]


def test_a_member_alone_plays_as_itself() -> None:
    agents = [Steerer(seed=0), Steerer(seed=1)]
    played: list[BaseAgent] = []

    def earns(agent: BaseAgent, n_episodes: int) -> list[float]:
        played.append(agent)
        return [float(agent is agents[1]) + 0.1 * i for i in range(n_episodes)]

    selection = choose_members(manager_of(*agents).ensemble, earns, n_episodes=4)
    assert selection is not None
    assert selection.members == (1,)
    assert played[:2] == agents
    assert [type(agent) for agent in played[2:]] == [EnsembleAgent]


class ChoiceFrom:
    """What is asked of Gymnasium's `Discrete`."""

    def __init__(self, n: int, start: int) -> None:
        self.n, self.start = n, start


def test_members_that_are_tried_choose_within_the_action_space() -> None:
    chosen: list[Any] = []

    def earns(agent: BaseAgent, n_episodes: int) -> list[float]:
        if isinstance(agent, EnsembleAgent):
            chosen.append(agent.act_greedy(np.ones(4)))
        return [float(i) for i in range(n_episodes)]

    members = [SaysHowLikely(seed=0), SaysHowLikely(seed=0)]
    expected = members[0].act_greedy(np.ones(4))
    space = ChoiceFrom(2, start=7)
    choose_members(manager_of(*members).ensemble, earns, action_space=space, n_episodes=3)
    assert chosen == [expected + 7]


def test_what_leaves_nothing_to_choose_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="ScriptedPipeline cannot play episodes"):
        manager_of(good(0)).select_members(ScriptedPipeline([[1.0]]), seed=0)
    with pytest.raises(ConfigurationError, match="0 members and 30 episodes leave nothing"):
        manager_of().select_members(HeldOut(), seed=0)
    with pytest.raises(ConfigurationError, match="1 members and 1 episodes leave nothing"):
        manager_of(good(0)).select_members(HeldOut(), seed=0, n_episodes=1)
