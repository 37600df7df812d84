"""DQNAgent: what it learns from, what it refuses, and that it learns."""

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from optix_core import EpisodeData, HyperparamSet
from optix_core.abilities import PrefersLoop, supports
from optix_core.errors import ConfigurationError, ContractViolationError, HyperparamError
from optix_tf import DQNAgent
from optix_tf._tensorflow import keras, tf
from optix_tf.dqn_settings import DQNSettings
from optix_tf.dqn_update import DQNUpdates
from optix_tf.epsilon_greedy_head import EpsilonGreedyHead
from optix_tf.replay_memory import ReplayMemory
from optix_tf.target_network import TargetNetwork

from . import models
from .cart_pole import CartPoles, Choice, box


def make_agent(**params: Any) -> DQNAgent:
    chosen = {"batch_size": 16, "warmup_steps": 32, "exploration_steps": 100, **params}
    return DQNAgent.for_spaces(
        box(4),
        Choice(2),
        seed=0,
        hyperparams=HyperparamSet(chosen),
        hidden=(16,),
        jit_compile=False,
    )


def variables(agent: DQNAgent) -> list[Any]:
    return [v.numpy() for v in [*agent.model.variables, *agent.optimizer.variables]]


def flat(model: Any) -> Any:
    return np.concatenate([v.numpy().ravel() for v in model.trainable_variables])


def sign_window(agent: DQNAgent, rng: np.random.Generator, rows: int = 64) -> EpisodeData:
    """Episodes of one step; action 1 is right where the first number is positive."""
    observations = rng.standard_normal((rows, 4)).astype(np.float32)
    actions = agent.act_batch(observations)
    return EpisodeData(
        observations=observations,
        actions=actions,
        rewards=(actions == (observations[:, 0] > 0)).astype(np.float64),
        terminated=np.ones(rows, np.bool_),
        truncated=np.zeros(rows, np.bool_),
        next_observations=observations,
    )


@pytest.mark.parametrize("is_prioritised", [False, True])
def test_it_learns_which_action_is_right(*, is_prioritised: bool) -> None:
    agent = make_agent(learning_rate=1e-2, is_prioritised=is_prioritised)
    rng = np.random.default_rng(0)
    for _ in range(11):
        agent.learn(sign_window(agent, rng))
    diagnostics = agent.learn(sign_window(agent, rng))
    assert diagnostics["update_skipped"] == 0.0
    assert diagnostics["n_updates"] == 32.0
    assert agent.epsilon == pytest.approx(0.05)
    probes = rng.standard_normal((200, 4)).astype(np.float32)
    assert (agent.act_greedy_batch(probes) == (probes[:, 0] > 0)).mean() > 0.9


@pytest.mark.parametrize("is_double", [False, True])
@pytest.mark.usefixtures("op_by_op")
def test_an_update_goes_towards_the_target_by_hand(*, is_double: bool) -> None:
    model = models.sequential(0)
    target = TargetNetwork(model, "target")
    before = [variable.numpy() for variable in model.trainable_variables]
    for variable in model.trainable_variables:
        variable.assign(variable + 0.5)
    optimizer = keras.optimizers.SGD(0.1)
    optimizer.build(model.trainable_variables)
    rng = np.random.default_rng(0)
    o, o2 = rng.standard_normal((2, 5, 4)).astype(np.float32)
    columns = {
        "observation": o,
        "action": np.array([0, 1, 2, 1, 0], np.int32),
        "reward": np.arange(5, dtype=np.float32),
        "discount": np.array([0.9, 0.0, 0.9, 0.81, 0.9], np.float32),
        "next_observation": o2,
        "weight": np.array([1.0, 1.0, 0.5, 1.0, 1.0], np.float32),
    }
    online, online_next = model(o).numpy(), model(o2).numpy()
    target_next = target(tf.constant(o2)).numpy()
    best = (online_next if is_double else target_next).argmax(axis=1)
    wanted = columns["reward"] + columns["discount"] * target_next[np.arange(5), best]
    chosen = online[np.arange(5), columns["action"]]
    with tf.GradientTape() as tape:
        values = tf.gather(model(o), columns["action"], batch_dims=1)
        errors = tf.abs(wanted - values)
        huber = tf.where(errors < 1.0, 0.5 * errors**2, errors - 0.5)
        loss = tf.reduce_mean(huber * columns["weight"])
    gradients = [g.numpy() for g in tape.gradient(loss, model.trainable_variables)]
    online_weights = [variable.numpy() for variable in model.trainable_variables]

    updates = DQNUpdates(model, target, optimizer, jit_compile=False)
    tunable = (0.25, 1e9, float(is_double))
    sums, found = updates({name: c[np.newaxis] for name, c in columns.items()}, 0, tunable)

    assert_allclose(found[0], wanted - chosen, rtol=1e-5, atol=1e-5)
    assert_allclose(sums["loss"], float(loss), rtol=1e-5)
    for variable, old, gradient in zip(
        model.trainable_variables, online_weights, gradients, strict=True
    ):
        assert_allclose(variable.numpy(), old - 0.1 * gradient, rtol=1e-4, atol=1e-5)
    for own, old, new in zip(
        target.variables.values(), before, model.trainable_variables, strict=True
    ):
        assert_allclose(own.numpy(), old + 0.25 * (new.numpy() - old), rtol=1e-5, atol=1e-6)


def test_updates_follow_the_steps_and_begin_after_the_warm_up() -> None:
    agent = make_agent(updates_per_step=9 / 32, batch_size=8)
    poles = CartPoles(2, seed=0)
    counts = list[float]()
    for _ in range(8):
        counts.append(agent.learn(poles.window(agent, 8))["n_updates"])
    # After two windows of warm-up each of 16 steps counts for 4.5.
    assert counts == [0.0, 0.0, 4.0, 5.0, 4.0, 5.0, 4.0, 5.0]
    assert agent._updates is not None  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001
    assert agent._updates.n_traces == 1  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001


def test_more_updates_than_one_call_makes_are_made() -> None:
    agent = make_agent(updates_per_step=2.5, batch_size=8)
    poles = CartPoles(4, seed=0)
    agent.learn(poles.window(agent, 8))
    assert agent.learn(poles.window(agent, 8))["n_updates"] == 80.0
    assert agent.optimizer.iterations.numpy() == 80


@pytest.mark.usefixtures("op_by_op")
@pytest.mark.parametrize("field", ["rewards", "observations", "next_observations"])
def test_data_that_is_not_finite_changes_nothing(field: str) -> None:
    agent = make_agent()
    window = CartPoles(2, seed=0).window(agent, 16)
    getattr(window, field)[3, 1] = np.nan
    state, before = agent.state_dict(), variables(agent)
    expected = {"update_skipped": 1.0, "update_ratio": 0.0, "n_updates": 0.0}
    assert agent.learn(window) == expected
    np.testing.assert_equal(agent.state_dict(), state)
    for one, other in zip(before, variables(agent), strict=True):
        assert_array_equal(one, other)


@pytest.mark.usefixtures("op_by_op")
def test_it_says_by_what_share_of_their_length_the_weights_moved() -> None:
    agent = make_agent(updates_per_step=1 / 32)
    poles = CartPoles(2, seed=0)
    assert agent.learn(poles.window(agent, 16))["update_ratio"] == 0.0
    before = flat(agent.model)
    diagnostics = agent.learn(poles.window(agent, 16))
    assert diagnostics["n_updates"] == 1.0
    ratio = np.linalg.norm(flat(agent.model) - before) / np.linalg.norm(before)
    assert diagnostics["update_ratio"] == pytest.approx(ratio, rel=1e-4)


@pytest.mark.usefixtures("op_by_op")
def test_updates_that_are_not_finite_are_refused_and_counted() -> None:
    agent = make_agent(updates_per_step=0.1)
    poles = CartPoles(2, seed=0)
    agent.learn(poles.window(agent, 16))
    agent.model.layers[-1].bias.assign([np.nan, np.nan])
    agent.refresh()
    before = variables(agent)
    diagnostics = agent.learn(poles.window(agent, 16))
    assert diagnostics["update_skipped"] == diagnostics["n_updates"] == 3.0
    for one, other in zip(before, variables(agent), strict=True):
        assert_array_equal(one, other)


def test_exploration_falls_in_a_line_after_the_warm_up() -> None:
    settings = DQNSettings(
        warmup_steps=10, exploration_steps=20, epsilon_start=0.8, epsilon_end=0.2
    )
    assert [settings.epsilon(steps) for steps in (0, 9, 10, 20, 30, 99)] == pytest.approx(
        [1.0, 1.0, 0.8, 0.5, 0.2, 0.2]
    )


def test_the_head_draws_as_it_says() -> None:
    head = EpsilonGreedyHead(3, start=5)
    head.epsilon = 0.3
    values = np.tile(np.array([0.0, 2.0, 1.0], np.float32), (20_000, 1))
    drawn = head.sample(values, np.random.default_rng(0))
    probabilities = head.distribution(values)
    assert_allclose(probabilities[0], [0.1, 0.8, 0.1])
    assert_allclose(np.bincount(drawn - 5) / len(drawn), probabilities[0], atol=0.01)
    with pytest.raises(ContractViolationError, match="between 5 and 7, got 4 to 7"):
        head.encode(np.array([4, 7]))
    with pytest.raises(ConfigurationError, match="at least one action, got 0"):
        EpsilonGreedyHead(0)


def test_the_memory_draws_by_priority_and_corrects_for_it() -> None:
    memory = ReplayMemory(4, is_prioritised=True)
    values = np.arange(4.0)
    flags = np.ones(4, np.bool_)
    memory.add(
        EpisodeData(
            observations=values,
            actions=values,
            rewards=values,
            terminated=flags,
            truncated=~flags,
            next_observations=values,
        ),
        lambda actions: actions,
        n=1,
        gamma=0.9,
    )
    memory.put_errors(np.arange(4), np.array([1.0, -1.0, 32.0, np.nan]))
    draw = memory.draw(500, 8, np.random.default_rng(0))
    # |δ|^0.6: 1, 1, 8, and 1, with which a new row begins and which a NaN does not change.
    priorities = np.array([1.0, 1.0, 8.0, 1.0])
    counts = np.bincount(draw.positions.ravel(), minlength=4) / draw.positions.size
    assert_allclose(counts, priorities / 11.0, atol=0.03)
    for positions, weights in zip(draw.positions, draw.weights, strict=True):
        rarity = (4 * priorities[positions] / 11.0) ** -0.4
        assert_allclose(weights, rarity / rarity.max(), rtol=1e-4)


@pytest.mark.parametrize("was_prioritised", [False, True])
def test_a_memory_that_was_put_back_draws_alike_or_as_if_new(*, was_prioritised: bool) -> None:
    one = ReplayMemory(8, is_prioritised=was_prioritised)
    other = ReplayMemory(8, is_prioritised=True)
    window = CartPoles(1, seed=0).window(make_agent(), 5)
    one.add(window, lambda actions: actions, n=1, gamma=0.9)
    one.put_errors(np.arange(5), np.arange(5.0))
    other.load_state_dict(one.state_dict())
    draw = other.draw(3, 4, np.random.default_rng(0))
    assert draw.positions.max() < 5
    if was_prioritised:
        again = one.draw(3, 4, np.random.default_rng(0))
        assert_array_equal(draw.positions, again.positions)
        assert_array_equal(draw.weights, again.weights)
    else:
        assert_array_equal(draw.weights, 1.0)


def test_it_says_what_loop_suits_it() -> None:
    agent = make_agent()
    assert supports(agent, PrefersLoop)
    assert agent.loop_preferences()["window_size"] == 64


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="plays Discrete actions"):
        DQNAgent.for_spaces(box(4), box(1))
    with pytest.raises(HyperparamError, match=r"DQN knows no hyperparameter .* did you mean tau"):
        make_agent(tua=0.1)
    with pytest.raises(HyperparamError, match=r"is_double must be a bool, got 1"):
        make_agent(is_double=1)
    with pytest.raises(ConfigurationError, match="needs observation_space"):
        DQNAgent(models.sequential(0), keras.optimizers.Adam(1e-3), HyperparamSet(), normalise=True)
    agent = make_agent()
    params = agent.get_hyperparams().params
    agent.set_hyperparams(HyperparamSet(params | {"buffer_size": 500}))
    agent.learn(CartPoles(2, seed=0).window(agent, 4))
    with pytest.raises(HyperparamError, match="buffer_size=500 and is_prioritised=False stay"):
        agent.set_hyperparams(HyperparamSet(params | {"buffer_size": 600}))


def test_its_step_size_is_steered_by_its_weights_and_not_probed() -> None:
    space = make_agent().hyperparam_space()
    assert space["learning_rate"].role == "step_size"
    assert not space["learning_rate"].probe
    assert space["batch_size"].choices == (16,)
