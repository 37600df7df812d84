"""SACAgent and TD3Agent: what they learn from, what they refuse, and that they learn."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from optix_core import EpisodeData, HyperparamSet
from optix_core.abilities import HasActionDistribution, Stackable, supports
from optix_core.errors import ConfigurationError, HyperparamError
from optix_tf import SACAgent, TD3Agent
from optix_tf._tensorflow import keras, tf
from optix_tf.action_box import ActionBox
from optix_tf.critic_network import build_critic
from optix_tf.plain_network import build_plain_network
from optix_tf.sac_update import SACNetworks, SACUpdates
from optix_tf.target_network import TargetNetwork
from optix_tf.td3_settings import TD3Settings
from optix_tf.td3_update import TD3Networks, TD3Updates

from .cart_pole import Choice, box

Kind = type[SACAgent] | type[TD3Agent]
KINDS = pytest.mark.parametrize("kind", [SACAgent, TD3Agent])
SPACE = dataclasses.replace(
    box(2), low=np.array([-1.0, 0.0], np.float32), high=np.array([3.0, 0.5], np.float32)
)
DDPG: dict[str, Any] = {"is_twin": False, "policy_delay": 1, "target_noise": 0.0}
WIDE: dict[str, Any] = {"exploration_noise": 0.5}


def make_agent(kind: Kind, hidden: tuple[int, ...] = (16,), **params: Any) -> SACAgent | TD3Agent:
    chosen = {"batch_size": 32, "warmup_steps": 64, **params}
    return kind.for_spaces(
        box(3),
        SPACE,
        seed=0,
        hyperparams=HyperparamSet(chosen),
        hidden=hidden,
        jit_compile=False,
    )


def aim(observations: Any) -> Any:
    """The best action: the first component follows the first number, the second is constant."""
    return np.stack((1.0 + observations[:, 0], np.full(len(observations), 0.4)), axis=1)


def window_of(agent: SACAgent | TD3Agent, rng: np.random.Generator, rows: int = 64) -> EpisodeData:
    """Episodes of one step; the reward falls with the squared distance from `aim`."""
    observations = rng.uniform(-1.0, 1.0, (rows, 3)).astype(np.float32)
    actions = agent.act_batch(observations)
    off = (actions - aim(observations)) * [1.0, 4.0]
    return EpisodeData(
        observations=observations,
        actions=actions,
        rewards=-np.square(off).sum(axis=1),
        terminated=np.ones(rows, np.bool_),
        truncated=np.zeros(rows, np.bool_),
        next_observations=observations,
    )


@pytest.mark.parametrize(
    ("kind", "params"), [(SACAgent, {}), (TD3Agent, WIDE), (TD3Agent, WIDE | DDPG)], ids=str
)
def test_it_learns_real_actions(kind: Kind, params: dict[str, Any]) -> None:
    agent = make_agent(kind, (32, 32), learning_rate=3e-3, tau=0.05, **params)
    rng = np.random.default_rng(0)
    for _ in range(20):
        agent.learn(window_of(agent, rng))
    probes = rng.uniform(-0.8, 0.8, (50, 3)).astype(np.float32)
    actions = agent.act_greedy_batch(probes)
    # An action that heeds nothing is off by 0.4 on average, and by 0.12 or more.
    assert np.abs(actions - aim(probes))[:, 0].mean() < 0.25
    assert np.abs(actions[:, 1] - 0.4).mean() < 0.08


@KINDS
def test_the_warm_up_covers_the_space_evenly(kind: Kind) -> None:
    agent = make_agent(kind)
    rng = np.random.default_rng(0)
    empty = window_of(agent, rng, 1)
    drawn = list[Any]()
    for _ in range(60):
        agent._ready_noise().renew(rng)  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001
        drawn.append(agent.act_batch(rng.normal(0.0, 9.0, (40, 3)).astype(np.float32)))
    actions = np.concatenate(drawn)
    assert actions.dtype == np.float32
    assert (actions >= SPACE.low).all()
    assert (actions <= SPACE.high).all()
    shares = [np.histogram(column, 4)[0] / len(actions) for column in actions.T]
    assert_allclose(shares, 0.25, atol=0.07)
    mean, std = agent.action_distribution(empty.observations)
    assert_allclose(mean[0], [1.0, 0.25])
    assert_allclose(std[0], np.array([2.0, 0.25]) / math.sqrt(3.0), rtol=1e-6)


def test_the_distribution_is_that_of_the_actions() -> None:
    agent = make_agent(SACAgent)
    rng = np.random.default_rng(0)
    agent.learn(window_of(agent, rng))
    agent.model.layers[-1].bias.assign([0.5, -0.3, -0.7, 0.2])
    agent.refresh()
    observation = np.full((1, 3), 0.3, np.float32)
    drawn = list[Any]()
    for _ in range(4000):
        agent._ready_noise().renew(rng)  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001
        drawn.append(agent.act(observation[0]))
    mean, std = agent.action_distribution(observation)
    assert_allclose(np.mean(drawn, axis=0), mean[0], atol=0.05)
    assert_allclose(np.std(drawn, axis=0), std[0], atol=0.03)
    assert supports(agent, HasActionDistribution)
    assert not supports(agent, Stackable)


@KINDS
def test_noise_holds_for_a_window_and_changes_with_learning(kind: Kind) -> None:
    agent = make_agent(kind)
    rng = np.random.default_rng(0)
    window = window_of(agent, rng)
    first = agent.act_batch(window.observations)
    assert_array_equal(agent.act_batch(window.observations), first)
    agent.learn(window)
    assert not np.allclose(agent.act_batch(window.observations), first)


def networks(rng: np.random.Generator, width: int) -> tuple[Any, list[Any], list[TargetNetwork]]:
    actor = build_plain_network((3,), width, rng=rng, hidden=(8,))
    critics = [build_critic((3,), 2, rng=rng, hidden=(8,)) for _ in range(2)]
    targets = [TargetNetwork(critic, "target") for critic in critics]
    for critic in critics:
        for variable in critic.trainable_variables:
            variable.assign(variable + 0.1)
    return actor, critics, targets


def columns(rng: np.random.Generator, *noise_shape: int) -> dict[str, Any]:
    o, o2 = rng.standard_normal((2, 6, 3)).astype(np.float32)
    return {
        "observation": o,
        "action": rng.uniform(-1, 1, (6, 2)).astype(np.float32),
        "reward": rng.standard_normal(6).astype(np.float32),
        "discount": np.array([0.9, 0.0, 0.9, 0.9, 0.0, 0.81], np.float32),
        "next_observation": o2,
        "weight": np.ones(6, np.float32),
        "noise": rng.standard_normal((6, *noise_shape)).astype(np.float32),
    }


def log_likelihood(u: Any, mean: Any, std: Any) -> Any:
    """Of tanh(u), by the change of variables, in float64."""
    u, mean, std = (np.asarray(x, np.float64) for x in (u, mean, std))
    normal = -0.5 * ((u - mean) / std) ** 2 - np.log(std) - 0.5 * np.log(2 * np.pi)
    return (normal - np.log(1.0 - np.tanh(u) ** 2)).sum(axis=-1)


@pytest.mark.usefixtures("op_by_op")
def test_sac_bootstraps_and_measures_by_hand() -> None:
    rng = np.random.default_rng(0)
    actor, critics, targets = networks(rng, 4)
    log_temperature = keras.Variable(-1.0, trainable=True)
    optimizer = keras.optimizers.SGD(0.1)
    variables = [actor, *critics]
    optimizer.build([v for m in variables for v in m.trainable_variables] + [log_temperature])
    batch = columns(rng, 2, 2)

    def policy(observations: Any, noise: Any) -> tuple[Any, Any]:
        mean, log_std = np.split(actor(observations).numpy(), 2, axis=-1)
        std = np.exp(np.clip(log_std, -5.0, 2.0))
        u = mean + std * noise
        return np.tanh(u), log_likelihood(u, mean, std)

    action2, likelihood2 = policy(batch["next_observation"], batch["noise"][:, 1])
    ahead = np.min(
        [t([tf.constant(batch["next_observation"]), tf.constant(action2)]) for t in targets], axis=0
    )[:, 0]
    soft = ahead - math.exp(-1.0) * likelihood2
    wanted = batch["reward"] + batch["discount"] * soft
    values = [c([batch["observation"], batch["action"]]).numpy()[:, 0] for c in critics]
    action, likelihood = policy(batch["observation"], batch["noise"][:, 0])
    least = np.min([c([batch["observation"], action]).numpy()[:, 0] for c in critics], axis=0)

    updates = SACUpdates(
        SACNetworks(actor=actor, critics=critics, targets=targets, log_temperature=log_temperature),
        optimizer,
        jit_compile=False,
    )
    sums, errors = updates({k: v[np.newaxis] for k, v in batch.items()}, 0, (0.0, -2.0))

    assert_allclose(errors[0], np.mean([np.abs(wanted - v) for v in values], axis=0), rtol=1e-4)
    squares = np.square([wanted - v for v in values]).mean(axis=1).sum()
    assert_allclose(sums["critic_loss"], squares, rtol=1e-4)
    regret = math.exp(-1.0) * likelihood - least
    assert_allclose(sums["actor_loss"], regret.mean(), rtol=1e-4)
    assert_allclose(sums["entropy"], -likelihood.mean(), rtol=1e-4)
    # d/d log α of (entropy − wanted) log α.
    moved = -1.0 - 0.1 * (-likelihood.mean() + 2.0)
    assert_allclose(float(log_temperature.numpy()), moved, rtol=1e-4)


@pytest.mark.parametrize("is_twin", [True, False])
@pytest.mark.usefixtures("op_by_op")
def test_td3_bootstraps_by_hand_and_delays_the_actor(*, is_twin: bool) -> None:
    rng = np.random.default_rng(1)
    actor, critics, targets = networks(rng, 2)
    target_actor = TargetNetwork(actor, "target_actor")
    optimizer = keras.optimizers.SGD(0.1)
    optimizer.build([v for m in [actor, *critics] for v in m.trainable_variables])
    batch = columns(rng, 2)
    o2 = tf.constant(batch["next_observation"])
    added = np.clip(0.4 * batch["noise"], -0.3, 0.3)
    action = tf.constant(np.clip(np.tanh(target_actor(o2).numpy()) + added, -1.0, 1.0), tf.float32)
    first, second = (target([o2, action]).numpy()[:, 0] for target in targets)
    ahead = np.minimum(first, second) if is_twin else first
    wanted = batch["reward"] + batch["discount"] * ahead
    values = [c([batch["observation"], batch["action"]]).numpy()[:, 0] for c in critics]
    updates = TD3Updates(
        TD3Networks(
            actor=actor, target_actor=target_actor, critics=critics, target_critics=targets
        ),
        optimizer,
        jit_compile=False,
    )
    tunable = (0.5, 2.0, 0.4, 0.3, float(is_twin))
    given = {k: v[np.newaxis] for k, v in batch.items()}
    weights = actor.get_weights()
    old_targets = [v.numpy() for v in target_actor.variables.values()]

    _, errors = updates(given, 0, tunable)
    assert_allclose(errors[0], np.mean([np.abs(wanted - v) for v in values], axis=0), rtol=1e-4)
    for one, other in zip(weights, actor.get_weights(), strict=True):
        assert_array_equal(one, other)

    updates(given, 1, tunable)
    assert any((a != b).any() for a, b in zip(weights, actor.get_weights(), strict=True))
    moved = zip(target_actor.variables.values(), old_targets, actor.get_weights(), strict=True)
    for variable, old, new in moved:
        assert_allclose(variable.numpy(), old + 0.5 * (new - old), rtol=1e-5, atol=1e-6)


@KINDS
@pytest.mark.usefixtures("op_by_op")
def test_it_says_by_what_share_of_their_length_the_weights_moved(kind: Kind) -> None:
    agent = make_agent(kind, updates_per_step=1 / 64)
    rng = np.random.default_rng(0)
    agent.learn(window_of(agent, rng))
    window = window_of(agent, rng)
    # TD3 trains its actor at another time than its critics, and tells of these alone.
    models = agent.critics if kind is TD3Agent else [agent.model, *agent.critics]
    before = flat(models)
    diagnostics = agent.learn(window)
    assert diagnostics["n_updates"] == 1.0
    ratio = np.linalg.norm(flat(models) - before) / np.linalg.norm(before)
    assert diagnostics["update_ratio"] == pytest.approx(ratio, rel=1e-2)


def flat(models: Sequence[Any]) -> Any:
    return np.concatenate([v.numpy().ravel() for m in models for v in m.trainable_variables])


@KINDS
@pytest.mark.usefixtures("op_by_op")
def test_updates_that_are_not_finite_are_refused_and_counted(kind: Kind) -> None:
    agent = make_agent(kind, updates_per_step=1 / 16)
    rng = np.random.default_rng(0)
    agent.learn(window_of(agent, rng))
    window = window_of(agent, rng)
    agent.critics[0].layers[-1].layers[-1].kernel.assign(np.full((16, 1), np.nan))
    before = [v.numpy() for v in [*agent.model.variables, *agent.critics[1].variables]]
    diagnostics = agent.learn(window)
    assert diagnostics["update_skipped"] == diagnostics["n_updates"] == 4.0
    after = [v.numpy() for v in [*agent.model.variables, *agent.critics[1].variables]]
    for one, other in zip(before, after, strict=True):
        assert_array_equal(one, other)


@KINDS
def test_what_does_not_fit_is_refused(kind: Kind) -> None:
    with pytest.raises(ConfigurationError, match="Box space with bounds"):
        kind.for_spaces(box(3), Choice(2))
    with pytest.raises(ConfigurationError, match="two finite bounds"):
        kind.for_spaces(box(3), box(2))
    with pytest.raises(HyperparamError, match="knows no hyperparameter 'alpha'"):
        make_agent(kind, alpha=0.2)
    one = build_plain_network((3,), 2, rng=np.random.default_rng(0), hidden=(4,))
    with pytest.raises(ConfigurationError, match="two critics"):
        kind(one, [], keras.optimizers.Adam(1e-3), HyperparamSet(), action_space=SPACE)


def test_settings_are_checked() -> None:
    with pytest.raises(HyperparamError, match=r"target_noise must be a finite number in \[0"):
        TD3Settings(target_noise=-0.1)
    with pytest.raises(HyperparamError, match="policy_delay must be an int"):
        TD3Settings(policy_delay=1.5)  # pyright: ignore[reportArgumentType]


def test_actions_come_and_go_in_the_units_of_the_space() -> None:
    scaled = ActionBox(SPACE)
    own = np.array([[-1.0, -1.0], [0.0, 0.5], [1.0, 2.0]])
    played = scaled.played(own)
    assert_allclose(played, [[-1.0, 0.0], [1.0, 0.375], [3.0, 0.5]])
    assert_allclose(scaled.own(played), np.clip(own, -1.0, 1.0))
    counts = dataclasses.replace(
        box(2), low=np.array([0, 0]), high=np.array([4, 10]), dtype=np.int64
    )
    assert_array_equal(ActionBox(counts).played(np.array([[0.3, -0.93]])), [[3, 0]])
