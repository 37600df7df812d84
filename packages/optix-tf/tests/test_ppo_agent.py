"""PPOAgent: what it learns from, what it refuses, and that it learns."""

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from optix_core import EpisodeData, HyperparamSet
from optix_core.errors import CheckpointError, ConfigurationError, HyperparamError
from optix_tf import PPOAgent
from optix_tf._tensorflow import keras
from optix_tf.ppo_settings import PPOSettings

from . import models
from .cart_pole import CartPoles, Choice, box


def make_agent(action_space: Any = None, seed: int = 0, **params: Any) -> PPOAgent:
    return PPOAgent.for_spaces(
        box(4),
        Choice(2) if action_space is None else action_space,
        seed=seed,
        hyperparams=HyperparamSet({"n_epochs": 2, "minibatch_size": 32, **params}),
        hidden=(16,),
        jit_compile=False,
    )


def variables(agent: PPOAgent) -> list[Any]:
    return [v.numpy() for v in [*agent.model.variables, *agent.optimizer.variables]]


def test_it_learns_to_balance() -> None:
    agent = PPOAgent.for_spaces(CartPoles.observation_space, CartPoles.action_space, seed=3)
    poles = CartPoles(8, seed=3)
    means = list[float]()
    for _ in range(10):
        window = poles.window(agent, 128)
        means.append(window.episode_returns.mean())
        diagnostics = agent.learn(window)
        assert diagnostics["update_skipped"] == 0.0
    assert means[0] < 40.0
    assert means[-1] > 3 * means[0]


def test_it_learns_real_actions() -> None:
    # Reward −(a − s)²: the best action repeats the observation, scaled to the space.
    space = box(1, bound=4.0)
    agent = PPOAgent.for_spaces(box(1), space, seed=0, hidden=(16,), jit_compile=False)
    rng = np.random.default_rng(0)
    for _ in range(25):
        observations = rng.uniform(-3.0, 3.0, (512, 1)).astype(np.float32)
        actions = agent.act_batch(observations)
        assert np.abs(actions).max() <= 4.0
        window = EpisodeData(
            observations=observations,
            actions=actions,
            rewards=-np.square(actions - observations)[:, 0],
            terminated=np.ones(512, np.bool_),
            truncated=np.zeros(512, np.bool_),
            next_observations=observations,
        )
        agent.learn(window)
    probes = np.array([[-2.0], [0.0], [2.0]], np.float32)
    assert_allclose(agent.act_greedy_batch(probes), probes, atol=0.7)
    mean, std = agent.action_distribution(probes)
    assert_allclose(mean, agent.act_greedy_batch(probes), rtol=1e-5)
    assert std.max() < 4.0 * np.exp(-0.5)


@pytest.mark.usefixtures("op_by_op")
def test_one_seed_learns_the_same_and_another_does_not() -> None:
    def learned(seed: int) -> list[Any]:
        agent = make_agent(seed=seed, n_epochs=1, minibatch_size=64)
        poles = CartPoles(4, seed=9)
        for _ in range(2):
            agent.learn(poles.window(agent, 32))
        return variables(agent)

    first, again, other = learned(1), learned(1), learned(2)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_what_follows_is_valued_where_the_episode_went_on() -> None:
    """δ by hand: row 0 goes on, 1 terminates, 2 is cut off, 3 is the window's last row."""
    agent = make_agent(gamma=0.5, gae_lambda=0.0)
    observations = np.arange(16, dtype=np.float32).reshape(4, 4) / 10
    following = observations + 0.5
    window = EpisodeData(
        observations=observations,
        actions=np.zeros(4, np.int64),
        rewards=np.array([1.0, 2.0, 3.0, 4.0]),
        terminated=np.array([False, True, False, False]),
        truncated=np.array([False, False, True, False]),
        next_observations=following,
    )

    def value(x: Any) -> Any:
        return agent.model(x)[1].numpy()[:, 0]

    v, v_next = value(observations), value(following)
    wanted = [
        1.0 + 0.5 * v[1] - v[0],
        2.0 - v[1],
        3.0 + 0.5 * v_next[2] - v[2],
        4.0 + 0.5 * v_next[3] - v[3],
    ]
    found = agent._advantages(window, v.astype(np.float64))  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001
    assert_allclose(found, wanted, atol=1e-6)


@pytest.mark.usefixtures("op_by_op")
def test_rows_that_are_no_steps_change_nothing() -> None:
    plain = CartPoles(1, seed=0).window(make_agent(), 20)
    fields = ("observations", "actions", "rewards", "terminated", "truncated", "next_observations")
    after_end = int(np.flatnonzero(plain.dones[:, 0])[0]) + 1
    rows = {name: np.insert(getattr(plain, name), after_end, 0, axis=0) for name in fields}
    rows["rewards"][after_end], rows["observations"][after_end] = 99.0, np.nan
    valid = np.ones((21, 1), np.bool_)
    valid[after_end] = False
    one, other = make_agent(), make_agent()
    one.learn(plain)
    other.learn(EpisodeData(**rows, valid=valid))
    for a, b in zip(variables(one), variables(other), strict=True):
        assert_allclose(a, b, atol=1e-6)


@pytest.mark.parametrize("field", ["rewards", "observations"])
def test_data_that_is_not_finite_changes_nothing(field: str) -> None:
    agent = make_agent()
    window = CartPoles(2, seed=0).window(agent, 16)
    getattr(window, field)[3, 1] = np.nan
    before = agent.model.get_weights()
    assert agent.learn(window) == {"update_skipped": 1.0, "n_updates": 0.0}
    for a, b in zip(before, agent.model.get_weights(), strict=True):
        assert_array_equal(a, b)


@pytest.mark.usefixtures("op_by_op")
def test_updates_that_are_not_finite_are_refused_and_counted() -> None:
    agent = make_agent()
    window = CartPoles(2, seed=0).window(agent, 16)
    agent.learn(window)
    agent.model.layers[-1].bias.assign([np.nan])
    agent.refresh()
    before = variables(agent)
    diagnostics = agent.learn(window)
    assert diagnostics["update_skipped"] == diagnostics["n_updates"] == 2.0
    for a, b in zip(before, variables(agent), strict=True):
        assert_array_equal(a, b)


@pytest.mark.usefixtures("op_by_op")
def test_statistics_move_in_learning_alone_and_are_saved(tmp_path: Any) -> None:
    agent, other = make_agent(), make_agent(seed=1)
    poles = CartPoles(2, seed=0)
    before = agent.act_greedy_batch(np.eye(4)), agent.action_distribution(np.eye(4) * 50)
    for _ in range(3):
        agent.act_greedy_batch(np.eye(4) * 100)
        agent.act_batch(np.eye(4) * 100)
    assert_array_equal(agent.action_distribution(np.eye(4) * 50), before[1])
    agent.learn(poles.window(agent, 32))
    agent.save_weights(str(tmp_path / "w"))
    other.load_weights(str(tmp_path / "w"))
    assert_array_equal(other.action_distribution(np.eye(4)), agent.action_distribution(np.eye(4)))
    window = poles.window(agent, 32)
    other.load_state_dict(agent.state_dict())
    agent.learn(window)
    other.learn(window)
    for a, b in zip(variables(agent), variables(other), strict=True):
        assert_array_equal(a, b)


@pytest.mark.usefixtures("op_by_op")
def test_an_agent_of_another_kind_cannot_be_loaded(tmp_path: Any) -> None:
    make_agent().save_weights(str(tmp_path / "discrete"))
    before = make_agent(box(2, bound=1.0))
    with pytest.raises(CheckpointError, match="policy/log_std is missing"):
        before.load_weights(str(tmp_path / "discrete"))
    plain = PPOAgent(models.two_headed(0), keras.optimizers.Adam(), HyperparamSet())
    with pytest.raises(CheckpointError, match="another kind of agent"):
        plain.load_weights(str(tmp_path / "discrete"))


@pytest.mark.parametrize("kind", ["two_headed", "named_heads", "subclassed"])
def test_a_users_model_learns_as_the_readme_shows(kind: str) -> None:
    agent = PPOAgent(
        model=models.KINDS[kind](0),
        optimizer=keras.optimizers.Adam(3e-4),
        hyperparams=HyperparamSet(
            params={
                "learning_rate": 3e-4,
                "clip_ratio": 0.2,
                "entropy_coeff": 0.01,
                "gamma": 0.99,
            },
            episode_id=0,
        ),
        seed=0,
        jit_compile=False,
    )
    rng = np.random.default_rng(0)
    observations = rng.standard_normal((60, 4)).astype(np.float32)
    actions = np.array([agent.act(observation) for observation in observations])
    assert set(actions.tolist()) <= {0, 1, 2}
    window = EpisodeData(
        observations=observations,
        actions=actions,
        rewards=(actions == 1).astype(np.float64),
        terminated=np.ones(60, np.bool_),
        truncated=np.zeros(60, np.bool_),
        next_observations=observations,
    )
    changes = [agent.learn(window)["kl"] for _ in range(8)]
    assert all(0.0 < kl < 0.1 for kl in changes)
    assert agent.action_distribution(observations)[:, 1].mean() > 0.34


def test_hyperparameters_not_given_have_their_defaults() -> None:
    agent = PPOAgent(
        models.two_headed(0), keras.optimizers.Adam(3e-4), HyperparamSet({"gamma": 0.5})
    )
    params = agent.get_hyperparams().params
    assert params["gamma"] == 0.5
    assert params["learning_rate"] == 3e-4
    assert params["clip_ratio"] == PPOSettings().clip_ratio
    agent.set_hyperparams(HyperparamSet({"clip_ratio": 0.1}))
    assert agent.get_hyperparams().params == {"clip_ratio": 0.1}


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"clip_ration": 0.2}, "knows no hyperparameter 'clip_ration'; did you mean clip_ratio"),
        ({"clip_ratio": 0.0}, r"clip_ratio must be a finite number in \(0, inf\], got 0.0"),
        ({"gae_lambda": 1.1}, "gae_lambda"),
        ({"n_epochs": 2.5}, "n_epochs must be an int, got 2.5"),
        ({"minibatch_size": 0}, "minibatch_size"),
        ({"target_kl": -1.0}, "target_kl"),
        ({"entropy_coeff": "much"}, "entropy_coeff must be a number, got 'much'"),
    ],
)
def test_impossible_hyperparameters_are_refused(params: dict[str, Any], message: str) -> None:
    agent = make_agent()
    before = agent.get_hyperparams().params
    with pytest.raises(HyperparamError, match=message):
        agent.set_hyperparams(HyperparamSet(params))
    assert agent.get_hyperparams().params == before


def test_what_a_tuner_moves_costs_no_trace_and_shapes_are_not_declared_tunable() -> None:
    agent = make_agent()
    poles = CartPoles(4, seed=0)
    for moved in ({}, {"clip_ratio": 0.1}, {"learning_rate": 1e-5}, {"gamma": 0.9}):
        params = {**agent.get_hyperparams().params, **moved}
        agent.set_hyperparams(HyperparamSet(params))
        agent.learn(poles.window(agent, 32))
    assert agent._passes is not None  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001
    assert agent._passes.n_traces == 1  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001
    space = agent.hyperparam_space()
    assert space["n_epochs"].choices == (2,)
    assert space["learning_rate"].role == "step_size"
    assert {name: domain.role for name, domain in space.items() if domain.choices is None} == {
        "learning_rate": "step_size",
        "clip_ratio": None,
        "entropy_coeff": None,
        "gamma": "branches",
        "gae_lambda": "branches",
    }


def test_what_lies_outside_of_the_usual_range_was_meant_and_is_not_tuned() -> None:
    space = make_agent(entropy_coeff=0.0, clip_ratio=0.9).hyperparam_space()
    assert "entropy_coeff" not in space
    assert "clip_ratio" not in space


@pytest.mark.usefixtures("op_by_op")
def test_a_target_for_the_divergence_ends_the_passes_early() -> None:
    def updates(**params: Any) -> float:
        agent = make_agent(n_epochs=8, minibatch_size=64, learning_rate=0.05, **params)
        return agent.learn(CartPoles(4, seed=0).window(agent, 16))["n_updates"]

    assert updates(target_kl=None) == 8
    assert 1 < updates(target_kl=0.005) < 8


@pytest.mark.parametrize(
    ("observation_space", "action_space"), [(object(), Choice(2)), (box(3), "left or right")]
)
def test_spaces_that_are_not_supported_are_named(
    observation_space: object, action_space: object
) -> None:
    with pytest.raises(ConfigurationError, match=r"object at|left or right"):
        PPOAgent.for_spaces(observation_space, action_space)


def test_normalising_needs_to_know_the_observations() -> None:
    with pytest.raises(ConfigurationError, match="observation_space"):
        PPOAgent(models.two_headed(0), keras.optimizers.Adam(), HyperparamSet(), normalise=True)


def test_pictures_are_flattened() -> None:
    agent = PPOAgent.for_spaces(box(5, 5, 3), Choice(4), seed=0, hidden=(8,))
    pictures = np.random.default_rng(0).integers(0, 255, (6, 5, 5, 3)).astype(np.uint8)
    assert agent.act_batch(pictures).shape == (6,)
    assert agent.act(pictures[0]) in range(4)
