"""Stacked Keras agents against the agents one by one, for every kind of model and action."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from optix_core import HyperparamSet
from optix_core.abilities import InterpretsOutputs, Stackable, StackedPolicy, supports
from optix_core.errors import ContractViolationError
from optix_core.stacked_network import RunsAsNetwork
from optix_tf import PPOAgent, TFAgent
from optix_tf._tensorflow import keras, tf
from optix_tf.stack_models import PADDED_SIZES, UnrolledModels, VectorisedModels, best_of_rungs

from . import models
from .cart_pole import Choice, Space, box

layers = keras.layers
OBSERVATIONS = np.random.default_rng(3).normal(size=(7, 4)).astype(np.float32)


class Choices:
    """What Gymnasium calls MultiDiscrete."""

    def __init__(self, *nvec: int) -> None:
        self.nvec = np.array(nvec)
        self.shape = self.nvec.shape


class Switches:
    """What Gymnasium calls MultiBinary."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.shape = (n,)


def agents(make: Callable[[int], Any], n: int = 3) -> list[TFAgent]:
    return [
        TFAgent(make(10 * i), keras.optimizers.SGD(0.1), HyperparamSet(), seed=i) for i in range(n)
    ]


def ready(members: Sequence[TFAgent], observations: NDArray[Any] = OBSERVATIONS) -> list[TFAgent]:
    for member in members:
        member.act_batch(observations)
    return list(members)


def check(members: Sequence[TFAgent], observations: NDArray[Any] = OBSERVATIONS) -> Any:
    """Stack agents and compare every answer with their own; returns the stack."""
    stack = ready(members, observations)[0].stack(members)
    compare(stack, members, observations)
    return stack


def compare(stack: Any, members: Sequence[TFAgent], observations: NDArray[Any]) -> None:
    for n_rows in (1, len(observations)):
        rows = observations[:n_rows]
        outputs = stack.forward(rows).copy()
        expected = [member.action_distribution(rows) for member in members]
        close(stack.distribution(outputs), expected)
        close(stack.greedy(outputs), [member.act_greedy_batch(rows) for member in members])
        states = [member.state_dict() for member in members]
        drawn = stack.sample(outputs)
        for member, state in zip(members, states, strict=True):
            member.load_state_dict(state)
        close(drawn, [member.act_batch(rows) for member in members])


def close(given: Any, expected: Sequence[Any]) -> None:
    if isinstance(expected[0], tuple):
        for part, own in zip(given, zip(*expected, strict=True), strict=True):
            close(part, own)
        return
    assert np.shape(given) == np.shape(expected)
    assert_allclose(given, expected, rtol=1e-4, atol=1e-5)


def is_in_numpy(stack: Any) -> bool:
    return stack.network is not None


@pytest.mark.parametrize("kind", sorted(models.KINDS))
def test_every_kind_of_model(kind: str) -> None:
    stack = check(agents(models.KINDS[kind]))
    assert is_in_numpy(stack) == (kind not in {"functional", "subclassed"})


def mixed_layers(seed: int) -> Any:
    rng = np.random.default_rng(seed)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Rescaling(0.5, offset=0.1),
            layers.Dense(9, use_bias=False),
            layers.LayerNormalization(),
            layers.ReLU(negative_slope=0.1),
            layers.Dense(8, activation="silu"),
            layers.BatchNormalization(scale=False),
            layers.GaussianNoise(0.1),
            layers.LeakyReLU(negative_slope=0.3),
            layers.Dense(7, activation="elu"),
            layers.LayerNormalization(center=False, scale=False),
            layers.Activation("softplus"),
            layers.Dense(3, activation="sigmoid"),
        ]
    )
    model.set_weights([rng.uniform(0.2, 1.0, w.shape) for w in model.get_weights()])
    return model


def test_every_layer_that_has_a_numpy_form() -> None:
    assert is_in_numpy(check(agents(mixed_layers)))


def test_flattened_observations() -> None:
    def make(seed: int) -> Any:
        start = keras.initializers.GlorotUniform(seed=seed)
        return keras.Sequential(
            [keras.Input((2, 3)), layers.Flatten(), layers.Dense(3, kernel_initializer=start)]
        )

    observations = np.random.default_rng(0).normal(size=(5, 2, 3)).astype(np.float32)
    assert is_in_numpy(check(agents(make), observations))


def test_layers_over_several_axes_are_left_to_tensorflow() -> None:
    def make(seed: int) -> Any:
        start = keras.initializers.GlorotUniform(seed=seed)
        return keras.Sequential(
            [
                keras.Input((2, 3)),
                layers.Dense(4, kernel_initializer=start, activation="tanh"),
                layers.Flatten(),
                layers.Dense(3, kernel_initializer=start),
            ]
        )

    observations = np.random.default_rng(0).normal(size=(5, 2, 3)).astype(np.float32)
    assert not is_in_numpy(check(agents(make), observations))


def test_convolutions_run_as_one_function(caplog: pytest.LogCaptureFixture) -> None:
    def make(seed: int) -> Any:
        start = keras.initializers.GlorotUniform(seed=seed)
        return keras.Sequential(
            [
                keras.Input((5, 5, 1)),
                layers.Conv2D(2, 3, activation="relu", kernel_initializer=start),
                layers.Flatten(),
                layers.Dense(3, kernel_initializer=start),
            ]
        )

    observations = np.random.default_rng(0).normal(size=(3, 5, 5, 1)).astype(np.float32)
    with caplog.at_level(logging.ERROR):
        assert not is_in_numpy(check(agents(make), observations))
    assert not caplog.records


@pytest.mark.parametrize(
    "action_space",
    [
        Choice(3, start=2),
        Choices(2, 3),
        Switches(3),
        box(2),
        Space(np.float32([-2, 0]), np.float32([2, 1]), (2,)),  # pyright: ignore[reportArgumentType]
    ],
    ids=["discrete", "multi-discrete", "multi-binary", "box", "bounded-box"],
)
def test_every_kind_of_action_with_each_agents_own_normalisation(action_space: Any) -> None:
    members = [PPOAgent.for_spaces(box(4), action_space, seed=i, hidden=(8,)) for i in range(3)]
    for i, member in enumerate(members):
        seen = np.random.default_rng(i).normal(3.0 * i, 1.0 + i, size=(50, 4))
        member._inputs.observe(seen.astype(np.float32))  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        log_std = member._head_variables().get("policy/log_std")  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        if log_std is not None:
            log_std.assign(log_std + 0.3 * i)
        member.refresh()
    assert is_in_numpy(check(members))


def test_normalisation_of_its_own_in_tensorflow() -> None:
    def make(seed: int) -> PPOAgent:
        agent = PPOAgent(
            models.functional(seed),
            keras.optimizers.SGD(0.1),
            HyperparamSet(),
            seed=seed,
            observation_space=box(4),
            normalise=True,
        )
        seen = np.random.default_rng(seed).normal(seed, 2.0, size=(50, 4)).astype(np.float32)
        agent._inputs.observe(seen)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        return agent

    assert not is_in_numpy(check([make(seed) for seed in range(3)]))


def test_categories_are_encoded_once_for_all() -> None:
    members = [PPOAgent.for_spaces(Choice(5, 1), Choice(3), seed=i) for i in range(3)]
    check(members, np.array([1, 5, 3, 2]))


@pytest.mark.parametrize("kind", ["sequential", "functional", "subclassed"])
def test_a_member_is_copied_when_refreshed(kind: str) -> None:
    members = agents(models.KINDS[kind])
    stack = check(members)
    version = members[1].weights_version
    members[1].model.set_weights([0.5 * w - 0.1 for w in members[1].model.get_weights()])
    members[1].refresh()
    assert members[1].weights_version != version
    stack.refresh(1, members[1])
    compare(stack, members, OBSERVATIONS)


def test_loading_and_learning_change_the_version(tmp_path: Any) -> None:
    agent = agents(models.sequential, 1)[0]
    path = str(tmp_path / "weights")
    agent.save_weights(path)
    versions = [agent.weights_version]
    agent.load_weights(path)
    versions.append(agent.weights_version)
    assert len(set(versions)) == 2


def test_protocols() -> None:
    members = ready(agents(models.sequential))
    assert supports(members[0], Stackable)
    stack = members[0].stack(members)
    assert isinstance(stack, StackedPolicy)
    assert isinstance(stack, InterpretsOutputs)
    assert isinstance(stack, RunsAsNetwork)


def test_a_subclass_with_its_own_act_does_not_inherit_the_stack() -> None:
    class Stubborn(TFAgent):
        def act(self, observation: Any) -> Any:
            return 1

    agent = Stubborn(models.sequential(0), keras.optimizers.SGD(0.1), HyperparamSet())
    assert not supports(agent, Stackable)


def test_keys_tell_structures_apart_and_nothing_else() -> None:
    kinds = [*models.KINDS.values(), mixed_layers]
    kinds.remove(models.named_heads)  # its policy is that of two_headed
    keys = [{m.stack_key() for m in ready(agents(make, 2))} for make in kinds]
    assert [len(key) for key in keys] == [1] * len(kinds)
    assert len({key for each in keys for key in each}) == len(kinds)


def test_what_a_policy_means_is_part_of_its_structure() -> None:
    spaces = [Choice(3), Choice(3, 1), Choices(3), box(3), box(3, bound=1.0), box(3, bound=2.0)]
    made = [PPOAgent.for_spaces(box(4), space, seed=0, hidden=(8,)) for space in spaces]
    assert len({agent.stack_key() for agent in ready(made)}) == len(spaces)


def test_agents_that_differ_or_have_no_weights_are_refused() -> None:
    members = ready([*agents(models.sequential, 1), *agents(models.two_headed, 1)])
    with pytest.raises(ContractViolationError, match="2 structures"):
        members[0].stack(members)
    fresh = agents(models.unbuilt, 2)
    with pytest.raises(ContractViolationError, match="let each act once"):
        fresh[0].stack(fresh)


class Counting(keras.Model):
    """A model whose call leaves a trace."""

    def __init__(self, seed: int) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType]
        self.logits = layers.Dense(3)
        self.count = self.add_weight(shape=(), trainable=False, initializer="zeros")

    def call(self, inputs: Any) -> Any:
        self.count.assign(self.count + 1.0)
        return self.logits(inputs)


def test_models_with_a_state_of_their_own_are_refused() -> None:
    members = ready(agents(Counting))
    with pytest.raises(ContractViolationError, match="changes its own variables"):
        members[0].stack(members)


class Random(keras.Model):
    """A model that answers otherwise each time."""

    def __init__(self, seed: int) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType]
        self.logits = layers.Dense(3)

    def call(self, inputs: Any) -> Any:
        return self.logits(inputs) + tf.random.normal((3,))


def test_models_that_no_way_reproduces_are_refused() -> None:
    members = ready(agents(Random))
    with pytest.raises(ContractViolationError, match="no joint form"):
        members[0].stack(members)


def test_batches_of_any_size_are_padded_to_a_few() -> None:
    made = [models.functional(seed) for seed in (0, 5)]
    joint = VectorisedModels(made, has_own_inputs=False, with_xla=True)
    rows = np.random.default_rng(0).normal(size=(2 * PADDED_SIZES[-1] + 3, 4)).astype(np.float32)
    for n_rows in (1, 5, len(rows)):
        outputs = joint.run(rows[:n_rows])
        expected = [model(rows[:n_rows]) for model in made]
        assert_allclose(outputs, expected, rtol=1e-4, atol=1e-5)


def test_ways_agree_where_each_model_has_its_own_inputs() -> None:
    made = [models.functional(seed) for seed in (0, 5)]
    rows = np.random.default_rng(0).normal(size=(2, 6, 4)).astype(np.float32)
    expected = [model(own) for model, own in zip(made, rows, strict=True)]
    for joint in (
        VectorisedModels(made, has_own_inputs=True, with_xla=False),
        UnrolledModels(made, has_own_inputs=True),
        best_of_rungs(made, rows, own=True),
    ):
        assert_allclose(joint.run(rows), expected, rtol=1e-4, atol=1e-5)


def test_an_unrolled_model_cannot_be_exchanged() -> None:
    made = [models.functional(seed) for seed in (0, 5)]
    with pytest.raises(ContractViolationError, match="member 1 has another model"):
        UnrolledModels(made, has_own_inputs=False).refresh(1, models.functional(9))


def test_draws_do_not_depend_on_the_stack() -> None:
    members, twins = ready(agents(models.sequential)), ready(agents(models.sequential))
    stack = members[0].stack(members)
    for _ in range(3):
        drawn = stack.sample(stack.forward(OBSERVATIONS))
        assert_array_equal(drawn, [twin.act_batch(OBSERVATIONS) for twin in twins])
