"""TFAgent: hyperparameters, learning, and what a subclass may do."""

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from optix_core import EpisodeData, HyperparamSet
from optix_core.abilities import ActsGreedily, ActsInBatch, supports
from optix_core.errors import ContractViolationError, HyperparamError
from optix_tf import TFAgent
from optix_tf._tensorflow import keras, tf

from . import models
from .cart_pole import CartPoles, one_window


def make_agent(kind: str = "sequential", **params: Any) -> TFAgent:
    return TFAgent(
        model=models.KINDS[kind](0),
        optimizer=keras.optimizers.Adam(1e-2),
        hyperparams=HyperparamSet(params=params, episode_id=0),
        seed=0,
    )


def test_the_learning_rate_reaches_the_optimizer_at_construction_and_later() -> None:
    agent = make_agent(learning_rate=0.125)
    assert float(agent.optimizer.learning_rate) == 0.125
    agent.set_hyperparams(HyperparamSet({"learning_rate": 0.5, "mine": "kept"}))
    assert float(agent.optimizer.learning_rate) == 0.5
    assert agent.get_hyperparams().params == {"learning_rate": 0.5, "mine": "kept"}


def test_a_learning_rate_not_given_is_the_optimizers() -> None:
    agent = make_agent(gamma=0.5)
    assert float(agent.optimizer.learning_rate) == pytest.approx(1e-2)
    assert agent.hyperparam_space() == {}


def test_the_learning_rate_is_declared_as_the_step_size() -> None:
    domain = make_agent(learning_rate=3e-4).hyperparam_space()["learning_rate"]
    assert (domain.role, domain.log, domain.low, domain.high) == ("step_size", True, 1e-6, 1e-2)
    assert make_agent(learning_rate=0.5).hyperparam_space()["learning_rate"].high == 0.5


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"learning_rate": 0.0}, "learning_rate must be a positive number, got 0.0"),
        ({"learning_rate": "fast"}, "learning_rate must be a number, got 'fast'"),
        ({"learning_rate": float("nan")}, "learning_rate must be a positive number, got nan"),
        ({"gamma": 1.5}, r"gamma must lie in \[0, 1\], got 1.5"),
        ({"gamma": True}, "gamma must be a number, got True"),
    ],
)
def test_impossible_hyperparameters_are_refused(params: dict[str, Any], message: str) -> None:
    with pytest.raises(HyperparamError, match=message):
        make_agent(**params)


def test_a_schedule_of_the_optimizers_own_is_refused_or_left_alone() -> None:
    def make(params: dict[str, Any]) -> TFAgent:
        schedule = keras.optimizers.schedules.ExponentialDecay(1e-3, 100, 0.9)
        optimizer = keras.optimizers.Adam(schedule)
        return TFAgent(models.sequential(0), optimizer, HyperparamSet(params))

    make({"gamma": 0.9})
    with pytest.raises(HyperparamError, match="schedule"):
        make({"learning_rate": 1e-3})


@pytest.mark.parametrize("kind", models.KINDS)
def test_learning_makes_rewarded_actions_likelier(kind: str) -> None:
    agent = make_agent(kind)
    noise = np.random.default_rng(0).standard_normal((90, 4))
    observations = (1.0 + 0.1 * noise).astype(np.float32)
    actions = np.arange(90) % 3
    window = EpisodeData(
        observations=observations,
        actions=actions,
        rewards=(actions == 1).astype(np.float64),
        terminated=np.ones(90, np.bool_),
        truncated=np.zeros(90, np.bool_),
        next_observations=observations,
    )
    before = agent.action_distribution(observations[:1])[0, 1]
    diagnostics = [agent.learn(window) for _ in range(5)][-1]
    assert agent.action_distribution(observations[:1])[0, 1] > before + 0.05
    assert diagnostics["update_skipped"] == 0.0
    assert diagnostics["mean_return"] == pytest.approx(1 / 3)
    assert 0.0 < diagnostics["kl"] < 1.0
    assert 0.0 < diagnostics["entropy"] <= np.log(3) + 1e-6


def test_the_gradient_step_is_reinforce() -> None:
    agent = TFAgent(
        models.sequential(0),
        keras.optimizers.SGD(0.1),
        HyperparamSet({"learning_rate": 0.1, "gamma": 0.5}),
        seed=0,
    )
    window = one_window(agent, np.random.default_rng(0))
    start = [variable.numpy() for variable in agent.model.trainable_variables]
    targets = np.zeros(40)
    for t in reversed(range(40)):
        targets[t] = window.rewards[t] + (0.0 if t % 10 == 9 else 0.5 * targets[t + 1])
    advantages = (targets - targets.mean()) / targets.std()
    with tf.GradientTape() as tape:
        logs = tf.nn.log_softmax(agent.model(window.observations))
        chosen = tf.gather(logs, window.actions.astype(np.int32), batch_dims=1)
        loss = -tf.reduce_mean(chosen * advantages.astype(np.float32))
    gradients = tape.gradient(loss, agent.model.trainable_variables)
    agent.learn(window)
    for variable, old, gradient in zip(
        agent.model.trainable_variables, start, gradients, strict=True
    ):
        assert_allclose(variable.numpy(), old - 0.1 * gradient.numpy(), atol=1e-6)


def test_rows_that_are_no_steps_change_nothing() -> None:
    def weights(window: EpisodeData) -> list[Any]:
        agent = make_agent()
        agent.learn(window)
        return [variable.numpy() for variable in agent.model.trainable_variables]

    plain = one_window(make_agent(), np.random.default_rng(1), rows=20)
    fields = ("observations", "actions", "rewards", "terminated", "truncated", "next_observations")
    rows = {name: np.insert(getattr(plain, name), 10, 0, axis=0) for name in fields}
    rows["rewards"][10], rows["observations"][10] = 99.0, np.nan
    padded = EpisodeData(**rows, valid=np.arange(21) != 10)
    for one, other in zip(weights(plain), weights(padded), strict=True):
        assert_allclose(one, other, atol=1e-7)


@pytest.mark.parametrize("field", ["rewards", "observations"])
def test_data_that_is_not_finite_changes_nothing(field: str) -> None:
    agent = make_agent()
    window = one_window(agent, np.random.default_rng(0))
    getattr(window, field)[3] = np.nan
    before = [variable.numpy() for variable in agent.model.variables]
    assert agent.learn(window) == {"update_skipped": 1.0}
    for variable, old in zip(agent.model.variables, before, strict=True):
        assert_allclose(variable.numpy(), old)


def test_a_gradient_that_is_not_finite_changes_nothing() -> None:
    agent = make_agent()
    agent.learn(one_window(agent, np.random.default_rng(0)))
    agent.model.layers[-1].kernel.assign(np.full((16, 3), np.inf, np.float32))
    agent.model.layers[-1].bias.assign(np.full(3, np.nan, np.float32))
    before = [variable.numpy() for variable in agent.optimizer.variables]
    window = one_window(make_agent(), np.random.default_rng(0))
    with np.errstate(invalid="ignore"):
        assert agent.learn(window)["update_skipped"] == 1.0
    for variable, old in zip(agent.optimizer.variables, before, strict=True):
        assert_allclose(variable.numpy(), old)


def test_actions_that_are_no_integers_are_refused() -> None:
    agent = make_agent()
    window = one_window(agent, np.random.default_rng(0))
    real = EpisodeData(
        observations=window.observations,
        actions=np.zeros((40, 2)),
        rewards=window.rewards,
        terminated=window.terminated,
        truncated=window.truncated,
        next_observations=window.next_observations,
    )
    with pytest.raises(ContractViolationError, match=r"one integer a step, got shape \(2,\)"):
        agent.learn(real)


def test_windows_of_any_length_are_traced_once() -> None:
    agent = make_agent()
    rng = np.random.default_rng(0)
    for rows in (40, 17, 90):
        agent.learn(one_window(agent, rng, rows))
    update = agent._update  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001
    assert update is not None
    assert update.n_traces == 1


class ActorOnly(TFAgent):
    """Overrides `act` alone, as the README's PPO does."""

    def act(self, observation: Any) -> Any:
        logits, _ = self.model(tf.expand_dims(tf.cast(observation, tf.float32), 0), training=False)
        return int(tf.argmax(logits[0]).numpy())

    def set_hyperparams(self, hp: HyperparamSet) -> None:
        super().set_hyperparams(hp)
        self.clip_ratio = hp.params.get("clip_ratio", 0.2)


def test_a_subclass_that_overrides_act_alone_keeps_no_fast_path() -> None:
    agent = ActorOnly(
        model=models.two_headed(0),
        optimizer=keras.optimizers.Adam(3e-4),
        hyperparams=HyperparamSet({"learning_rate": 3e-4, "clip_ratio": 0.3}),
    )
    assert agent.act(np.ones(4)) in range(3)
    assert agent.clip_ratio == 0.3
    assert not supports(agent, ActsInBatch)
    assert not supports(agent, ActsGreedily)
    assert supports(make_agent(), ActsInBatch)


class Nudging(TFAgent):
    """Learns in its own way."""

    def learn(self, episode_data: EpisodeData) -> dict[str, Any]:
        self.model.layers[-1].bias.assign([9.0, 0.0, 0.0])
        return {}


def test_a_subclass_that_learns_in_its_own_way_acts_on_it() -> None:
    agent = Nudging(models.sequential(0), keras.optimizers.Adam(), HyperparamSet(), seed=0)
    window = one_window(agent, np.random.default_rng(0))
    agent.learn(window)
    assert [agent.act_greedy(observation) for observation in window.observations] == [0] * 40


def test_weights_written_elsewhere_are_seen_after_refresh() -> None:
    agent = make_agent()
    agent.act_greedy(np.ones(4, np.float32))
    for best in (0, 2):
        agent.model.layers[-1].bias.assign(100.0 * np.eye(3, dtype=np.float32)[best])
        agent.refresh()
        assert agent.act_greedy(np.ones(4, np.float32)) == best


def test_it_learns_to_balance() -> None:
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(
                32, "tanh", kernel_initializer=keras.initializers.GlorotUniform(seed=1)
            ),
            keras.layers.Dense(2, kernel_initializer="zeros"),
        ]
    )
    params = {"learning_rate": 1e-2, "gamma": 0.98}
    agent = TFAgent(model, keras.optimizers.Adam(), HyperparamSet(params), seed=5)
    poles = CartPoles(8, seed=5)
    means = list[float]()
    for _ in range(60):
        window = poles.window(agent, 100)
        means.append(window.episode_returns.mean())
        agent.learn(window)
    assert np.mean(means[-5:]) > 3 * means[0]
