"""The fakes do what they are told, so that tests built on them mean something."""

from pathlib import Path

import numpy as np
import pytest

from optix_core.abilities import (
    ActsGreedily,
    ActsGreedilyInBatch,
    ActsInBatch,
    HasState,
    supports,
)
from optix_core.base_agent import BaseAgent
from optix_core.errors import ConfigurationError, PipelineError
from optix_core.hyperparam_set import HyperparamSet
from optix_core.testing import (
    FakeAgent,
    FakeClock,
    FakeGreedyAgent,
    FakeStatefulAgent,
    ScriptedPipeline,
)


def test_clock_stands_still_ticks_and_refuses_to_run_backwards() -> None:
    clock = FakeClock(5.0)
    assert [clock(), clock()] == [5.0, 5.0]
    clock.advance(2.5)
    assert clock() == 7.5
    ticking = FakeClock(tick_s=1.0)
    assert [ticking(), ticking()] == [0.0, 1.0]
    with pytest.raises(ConfigurationError, match="-1"):
        clock.advance(-1.0)
    with pytest.raises(ConfigurationError, match="-2"):
        FakeClock(tick_s=-2.0)


def test_agents_of_one_seed_do_the_same() -> None:
    first, second, other = FakeAgent(seed=3), FakeAgent(seed=3), FakeAgent(seed=4)
    actions = [[agent.act(None) for _ in range(40)] for agent in (first, second, other)]
    assert actions[0] == actions[1] != actions[2]
    assert first.calls["act"] == 40


def test_agent_raises_at_the_call_it_was_told() -> None:
    agent = FakeAgent(raise_at={"act": 2}, error=OSError("disk"))
    agent.act(None)
    with pytest.raises(OSError, match="disk"):
        agent.act(None)
    agent.act(None)


def test_agent_refuses_an_unknown_method() -> None:
    with pytest.raises(ConfigurationError, match="jump"):
        FakeAgent(raise_at={"jump": 1})


def test_skill_grows_by_learning_and_survives_a_save(tmp_path: Path) -> None:
    agent = FakeAgent()
    window = next(ScriptedPipeline([[1.0]], agent).episodes())
    agent.learn(window)
    agent.save_weights(str(tmp_path / "weights"))
    agent.learn(window)
    assert agent.skill == 2.0
    agent.load_weights(str(tmp_path / "weights"))
    assert agent.skill == 1.0


def test_hyperparams_are_copied_both_ways() -> None:
    agent = FakeAgent({"layers": [1]})
    agent.get_hyperparams().params["layers"].append(2)
    given = HyperparamSet({"layers": [3]})
    assert agent.get_hyperparams().params == {"layers": [1]}
    agent.set_hyperparams(given)
    given.params["layers"].append(4)
    assert agent.get_hyperparams().params == {"layers": [3]}


def test_abilities_are_those_of_the_class() -> None:
    assert not any(
        supports(FakeAgent(), ability)
        for ability in (ActsGreedily, ActsInBatch, ActsGreedilyInBatch, HasState)
    )
    assert supports(FakeStatefulAgent(), HasState)
    greedy = FakeGreedyAgent(n_actions=3)
    assert all(
        supports(greedy, ability) for ability in (ActsGreedily, ActsInBatch, ActsGreedilyInBatch)
    )
    assert greedy.act_greedy(None) == 2
    assert greedy.act_greedy_batch(np.zeros((2, 4))).tolist() == [2, 2]


def test_state_puts_generator_and_counters_back() -> None:
    agent = FakeStatefulAgent()
    state = agent.state_dict()
    first = [agent.act(None) for _ in range(20)]
    agent.load_state_dict(state)
    assert agent.calls["act"] == 0
    assert [agent.act(None) for _ in range(20)] == first


def test_script_gives_the_returns_and_ends() -> None:
    pipeline = ScriptedPipeline([[1.0, 2.0], [], [3.0]], FakeAgent())
    windows = list(pipeline.episodes())
    assert [window.episode_returns.tolist() for window in windows] == [
        [1.0, 2.0],
        [],
        [3.0],
    ]
    assert [window.length for window in windows] == [2, 1, 1]
    assert [window.episode_id for window in windows] == [0, 1, 2]
    assert windows[0].observations.tolist() == [[0.0, 0.0], [0.0, 1.0]]


def test_script_may_follow_the_agent_that_plays() -> None:
    agent = FakeAgent()

    def script(player: BaseAgent, window_id: int) -> list[float] | None:
        assert player is agent
        return [agent.skill] if window_id < 2 else None

    pipeline = ScriptedPipeline(script)
    pipeline.set_agent(agent)
    scores: list[float] = []
    for window in pipeline.episodes():
        scores.append(window.total_reward)
        agent.learn(window)
    assert scores == [0.0, 1.0]


def test_script_raises_where_it_was_told_and_counts_calls() -> None:
    pipeline = ScriptedPipeline([[1.0]] * 3, FakeAgent(), raise_at=1)
    pipeline.setup()
    windows = pipeline.episodes()
    next(windows)
    with pytest.raises(PipelineError, match="script"):
        next(windows)
    pipeline.teardown()
    assert pipeline.calls == {"setup": 1, "teardown": 1}


def test_script_needs_an_agent() -> None:
    with pytest.raises(PipelineError, match="set_agent"):
        next(ScriptedPipeline([[1.0]]).episodes())
