"""The promises of an agent, as tests to inherit."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from optix_core.abilities import (
    ActsGreedily,
    ActsGreedilyInBatch,
    ActsInBatch,
    DeclaresHyperparams,
    HasActionDistribution,
    HasReplay,
    HasState,
    supports,
)
from optix_core.base_agent import BaseAgent
from optix_core.episode_data import EpisodeData
from optix_core.hyperparam_set import HyperparamSet

P = TypeVar("P")

_SAMPLES = 16
_EPISODE = 10


class AgentContract(ABC):
    """Inherit, say how to make your agent and an observation for it, and let pytest collect it.

        class TestMyAgent(AgentContract):
            def make_agent(self, seed):
                return MyAgent(seed=seed)

            def make_observation(self, rng):
                return rng.standard_normal(4, dtype=np.float32)

    What an agent is able to do beyond the six methods is tested where it has the ability.
    """

    @abstractmethod
    def make_agent(self, seed: int) -> BaseAgent:
        """Make a fresh agent: of one seed the same weights, of another seed others."""

    @abstractmethod
    def make_observation(self, rng: np.random.Generator) -> Any:
        """Make an observation such as the agent meets."""

    def make_window(self, agent: BaseAgent, seed: int = 0) -> EpisodeData:
        """Let the agent play a window of four random episodes; override for special data."""
        rng = np.random.default_rng(seed)
        rows = 4 * _EPISODE
        observations = [self.make_observation(rng) for _ in range(rows + 1)]
        is_last = np.arange(rows) % _EPISODE == _EPISODE - 1
        return EpisodeData(
            observations=np.array(observations[:-1]),
            actions=np.array([agent.act(observation) for observation in observations[:-1]]),
            rewards=rng.standard_normal(rows),
            terminated=is_last & (np.arange(rows) < rows // 2),
            truncated=is_last & (np.arange(rows) >= rows // 2),
            next_observations=np.array(observations[1:]),
        )

    def test_learning_returns_diagnostics_and_leaves_the_window_alone(self) -> None:
        agent = self.make_agent(0)
        window = self.make_window(agent)
        before = [array.copy() for array in _arrays(window)]
        diagnostics = cast("object", agent.learn(window))
        assert isinstance(diagnostics, dict)
        assert all(isinstance(name, str) for name in cast("dict[object, Any]", diagnostics))
        for array, copied in zip(_arrays(window), before, strict=True):
            np.testing.assert_array_equal(array, copied)

    def test_hyperparameters_come_back_as_they_were_set(self) -> None:
        agent = self.make_agent(0)
        given = agent.get_hyperparams()
        agent.set_hyperparams(HyperparamSet(dict(given.params), given.episode_id + 1))
        assert agent.get_hyperparams().params == given.params

    def test_hyperparameters_are_copies_both_ways(self) -> None:
        agent = self.make_agent(0)
        given = agent.get_hyperparams()
        original = given.copy().params
        agent.set_hyperparams(given)
        given.params["not_asked_for"] = 1
        agent.get_hyperparams().params["not_asked_for"] = 1
        assert agent.get_hyperparams().params == original

    def test_declared_domains_hold_the_values(self) -> None:
        agent = self.make_agent(0)
        declaring = _able(agent, DeclaresHyperparams)
        if declaring is None:
            return
        params = agent.get_hyperparams().params
        for name, domain in declaring.hyperparam_space().items():
            assert name in params, f"{name} has a domain but is no hyperparameter"
            value = params[name]
            if domain.choices is not None:
                assert value in domain.choices
            else:
                assert domain.low is None or value >= domain.low
                assert domain.high is None or value <= domain.high

    def test_weights_of_another_agent_make_it_act_the_same(self, tmp_path: Path) -> None:
        source, target = self.make_agent(0), self.make_agent(1)
        source.learn(self.make_window(source))
        source.save_weights(str(tmp_path / "weights"))
        target.load_weights(str(tmp_path / "weights"))
        self._assert_same_policy(source, target)

    def test_loading_undoes_what_was_learned_since(self, tmp_path: Path) -> None:
        agent, witness = self.make_agent(0), self.make_agent(0)
        agent.learn(self.make_window(agent))
        agent.save_weights(str(tmp_path / "weights"))
        witness.load_weights(str(tmp_path / "weights"))
        agent.learn(self.make_window(agent, seed=1))
        agent.load_weights(str(tmp_path / "weights"))
        self._assert_same_policy(agent, witness)

    def test_saving_makes_a_file_or_a_folder_and_changes_nothing(self, tmp_path: Path) -> None:
        agent, witness = self.make_agent(0), self.make_agent(0)
        agent.save_weights(str(tmp_path / "weights"))
        assert (tmp_path / "weights").exists()
        self._assert_same_policy(agent, witness)

    def test_state_and_weights_continue_learning_alike(self, tmp_path: Path) -> None:
        source, target = self.make_agent(0), self.make_agent(1)
        from_state, to_state = _able(source, HasState), _able(target, HasState)
        if from_state is None or to_state is None:
            return
        source.learn(self.make_window(source))
        window = self.make_window(source, seed=1)
        source.save_weights(str(tmp_path / "weights"))
        target.load_weights(str(tmp_path / "weights"))
        to_state.load_state_dict(from_state.state_dict())
        source.learn(window)
        target.learn(window)
        np.testing.assert_equal(to_state.state_dict(), from_state.state_dict())
        self._assert_same_policy(source, target)

    def test_replay_stored_by_rows_continues_learning_alike(self, tmp_path: Path) -> None:
        source, target = self.make_agent(0), self.make_agent(1)
        from_replay, to_replay = _able(source, HasReplay), _able(target, HasReplay)
        if from_replay is None or to_replay is None:
            return
        source.learn(self.make_window(source))
        first = from_replay.replay_extent()
        source.learn(self.make_window(source, seed=1))
        extent, window = from_replay.replay_extent(), self.make_window(source, seed=2)
        assert first is not None
        assert extent is not None
        assert extent.history is first.history, "rows that stay are said to be others"
        source.save_weights(str(tmp_path / "weights"))
        target.load_weights(str(tmp_path / "weights"))
        rows = from_replay.replay_rows(extent.first, extent.appended)
        _assert_storable([from_replay.state_without_replay(), rows])
        to_replay.load_with_replay(from_replay.state_without_replay(), rows)
        found = to_replay.replay_extent()
        assert found is not None
        assert (found.first, found.appended) == (extent.first, extent.appended)
        source.learn(window)
        target.learn(window)
        states = [cast("HasState", agent).state_dict() for agent in (source, target)]
        np.testing.assert_equal(states[1], states[0])
        self._assert_same_policy(source, target)

    def test_state_is_made_of_arrays_and_scalars(self) -> None:
        stateful = _able(self.make_agent(0), HasState)
        if stateful is not None:
            _assert_storable(stateful.state_dict())

    def test_state_brings_back_the_same_draws(self) -> None:
        agent = self.make_agent(0)
        stateful = _able(agent, HasState)
        if stateful is not None:
            state = stateful.state_dict()
            first = self._actions(agent)
            stateful.load_state_dict(state)
            np.testing.assert_array_equal(self._actions(agent), first)

    def test_a_batch_is_acted_on_as_one_by_one(self) -> None:
        agent, witness = self.make_agent(0), self.make_agent(0)
        batched, stateful = _able(agent, ActsInBatch), _able(witness, HasState)
        if batched is None:
            return
        state = None if stateful is None else stateful.state_dict()
        if state is not None:
            cast("HasState", agent).load_state_dict(state)
        actions = np.asarray(batched.act_batch(self._observations()))
        assert len(actions) == _SAMPLES
        if state is not None:
            np.testing.assert_allclose(actions, self._actions(witness), rtol=1e-5, atol=1e-5)

    def test_greedy_actions_repeat_themselves_and_agree(self) -> None:
        agent = self.make_agent(0)
        greedy, batched = _able(agent, ActsGreedily), _able(agent, ActsGreedilyInBatch)
        if greedy is None:
            return
        observations = self._observations()
        actions = [np.array(greedy.act_greedy(observation)) for observation in observations]
        again = [np.array(greedy.act_greedy(observation)) for observation in observations]
        np.testing.assert_array_equal(actions, again)
        if batched is not None:
            batch = np.asarray(batched.act_greedy_batch(observations))
            np.testing.assert_allclose(batch, actions, rtol=1e-5, atol=1e-5)

    def test_greedy_actions_leave_no_trace(self) -> None:
        agent, witness = self.make_agent(0), self.make_agent(0)
        stateful = _able(agent, HasState)
        state = None if stateful is None else stateful.state_dict()
        greedy, batched = _able(agent, ActsGreedily), _able(agent, ActsGreedilyInBatch)
        if greedy is not None:
            for observation in self._observations():
                greedy.act_greedy(observation)
        if batched is not None:
            batched.act_greedy_batch(self._observations())
        if stateful is not None:
            np.testing.assert_equal(stateful.state_dict(), state)
        self._assert_same_policy(agent, witness)

    def test_distributions_are_distributions(self) -> None:
        agent = _able(self.make_agent(0), HasActionDistribution)
        if agent is None:
            return
        distribution = agent.action_distribution(self._observations())
        if isinstance(distribution, tuple):
            mean, std = distribution
            assert mean.shape == std.shape
            assert len(mean) == _SAMPLES
            assert (std >= 0).all()
        else:
            assert len(distribution) == _SAMPLES
            assert (distribution >= 0).all()
            assert np.isfinite(distribution).all()

    def _observations(self) -> NDArray[Any]:
        rng = np.random.default_rng(12)
        return np.array([self.make_observation(rng) for _ in range(_SAMPLES)])

    def _actions(self, agent: BaseAgent) -> NDArray[Any]:
        return np.array([agent.act(observation) for observation in self._observations()])

    def _assert_same_policy(self, one: BaseAgent, other: BaseAgent) -> None:
        """Compare exactly: greedy actions, distributions, and draws from one state."""
        observations = self._observations()
        greedy, other_greedy = _able(one, ActsGreedily), _able(other, ActsGreedily)
        if greedy is not None and other_greedy is not None:
            for observation in observations:
                np.testing.assert_array_equal(
                    other_greedy.act_greedy(observation), greedy.act_greedy(observation)
                )
        random, other_random = (
            _able(one, HasActionDistribution),
            _able(other, HasActionDistribution),
        )
        if random is not None and other_random is not None:
            np.testing.assert_equal(
                other_random.action_distribution(observations),
                random.action_distribution(observations),
            )
        stateful, other_stateful = _able(one, HasState), _able(other, HasState)
        if stateful is not None and other_stateful is not None:
            other_stateful.load_state_dict(stateful.state_dict())
            np.testing.assert_array_equal(self._actions(other), self._actions(one))


def _able(agent: BaseAgent, ability: type[P]) -> P | None:
    """The agent as one that has the ability; None if it has not."""
    return agent if supports(agent, ability) else None


def _arrays(window: EpisodeData) -> list[NDArray[Any]]:
    return [
        window.observations,
        window.actions,
        window.rewards,
        window.terminated,
        window.truncated,
        window.next_observations,
    ]


def _assert_storable(value: object) -> None:
    if isinstance(value, dict):
        for name, item in cast("dict[object, object]", value).items():
            assert isinstance(name, str), f"a state's names are text, got {name!r}"
            _assert_storable(item)
    elif isinstance(value, list):
        for item in cast("list[object]", value):
            _assert_storable(item)
    else:
        assert value is None or isinstance(value, bool | int | float | str | np.ndarray), (
            f"a state holds arrays and JSON scalars, got {value!r}"
        )
