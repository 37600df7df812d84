"""Windows of one environment: rows, copies, seeds, ends, errors."""

import logging
from collections.abc import Callable, Sequence
from itertools import islice, pairwise
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_equal

from optix_core.episode_data import FloatArray
from optix_core.errors import ConfigurationError, ContractViolationError, PipelineError
from optix_core.simple_pipeline import SimplePipeline
from optix_core.testing import (
    FakeAgent,
    FakeClock,
    FakeGreedyAgent,
    FakeStatefulAgent,
    PipelineContract,
)

from .counting_env import CountingEnv, trajectory


class TestContract(PipelineContract):
    def make_pipeline(self) -> SimplePipeline:
        return SimplePipeline(CountingEnv([3, 5]), window_size=7)


def pipeline_over(
    env: Any,
    window_size: int = 4,
    draw_action: Callable[[np.random.Generator], Any] | None = None,
) -> SimplePipeline:
    return SimplePipeline(env, FakeAgent(draw_action=draw_action), window_size)


@given(
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    window_size=st.integers(1, 9),
    n_windows=st.integers(1, 4),
)
def test_windows_in_a_row_are_the_trajectory(
    lengths: Sequence[int], window_size: int, n_windows: int
) -> None:
    env = CountingEnv(lengths)
    pipeline = pipeline_over(env, window_size)
    pipeline.seed(9)
    windows = list(islice(pipeline.episodes(), n_windows))
    rows = trajectory(lengths, window_size * n_windows, seed=9)
    observations, rewards, terminated, truncated, successors = zip(*rows, strict=True)
    assert_equal(np.concatenate([w.observations for w in windows]), np.array(observations))
    assert_equal(np.concatenate([w.next_observations for w in windows]), np.array(successors))
    assert_equal(np.concatenate([w.rewards for w in windows]), np.array(rewards))
    assert_equal(np.concatenate([w.terminated for w in windows]), np.array(terminated))
    assert_equal(np.concatenate([w.truncated for w in windows]), np.array(truncated))
    assert [info["step"] for w in windows for info in w.infos] == [row[4][2] for row in rows]
    assert_equal(np.concatenate([w.actions for w in windows]), np.array(env.actions))
    n_ended = sum(ends for row in rows for ends in row[2:4])
    returns = np.concatenate([w.episode_returns for w in windows])
    expected = [
        sum(1000.0 * e + k + 1 for k in range(lengths[e % len(lengths)])) for e in range(n_ended)
    ]
    assert_equal(returns, np.array(expected))
    for before, after in pairwise(windows):
        assert_equal(after.returns_before, before.returns_after)


def test_an_end_at_the_last_row_is_reset_when_the_next_window_is_asked_for() -> None:
    env = CountingEnv([4])
    windows = pipeline_over(env, 4).episodes()
    window = next(windows)
    assert window.dones.tolist() == [False, False, False, True]
    assert env.n_resets == 1
    next(windows)
    assert env.n_resets == 2


def test_rows_and_infos_are_copies() -> None:
    window = next(pipeline_over(CountingEnv([3]), 5).episodes())
    assert window.observations[:, 2].tolist() == [0.0, 1.0, 2.0, 0.0, 1.0]
    assert [info["shared"][2] for info in window.infos] == [1.0, 2.0, 3.0, 1.0, 2.0]


def test_actions_that_the_agent_reuses_are_copies() -> None:
    buffer = np.zeros(2)

    def draw(rng: np.random.Generator) -> Any:
        buffer[:] = rng.random(2)
        return buffer

    env = CountingEnv([9])
    window = next(pipeline_over(env, 4, draw_action=draw).episodes())
    assert window.actions.shape == (4, 2)
    assert len(np.unique(window.actions)) == 8
    assert all(action is buffer for action in env.actions)


class Pair(NamedTuple):
    left: int
    right: str


@pytest.mark.parametrize(
    "action",
    [{"move": np.array([1.0, 2.0]), "jump": 1}, (1, np.zeros(2)), "left", Pair(1, "x"), None],
)
def test_actions_of_any_type_go_to_the_environment_untouched(action: Any) -> None:
    env = CountingEnv([9])
    window = next(pipeline_over(env, 3, draw_action=lambda rng: action).episodes())
    assert all(given_action is action for given_action in env.actions)
    assert window.actions.shape == (3,)
    assert window.actions.dtype == np.object_
    assert type(window.actions[1]) is type(action)
    assert_equal(window.actions[1], action)


@pytest.mark.parametrize(
    ("actions", "shape", "kind"),
    [
        ([1, 2, 3], (3,), "i"),
        ([1, 2.5, 3], (3,), "f"),
        ([True, False, True], (3,), "b"),
        ([np.int32(1), np.int32(2), np.int32(3)], (3,), "i"),
        ([np.zeros(2), np.ones(2), np.ones(2)], (3, 2), "f"),
        ([[1, 2], [3, 4], [5, 6]], (3, 2), "i"),
        ([[1], [2, 3], [4]], (3,), "O"),
        ([np.zeros(2), np.zeros(3), np.zeros(2)], (3,), "O"),
        ([1, "a", 2], (3,), "O"),
    ],
)
def test_actions_are_stacked_where_they_are_numbers_of_one_shape(
    actions: list[Any], shape: tuple[int, ...], kind: str
) -> None:
    queue = iter(actions)
    window = next(
        pipeline_over(CountingEnv([9]), 3, draw_action=lambda rng: next(queue)).episodes()
    )
    assert window.actions.shape == shape
    assert window.actions.dtype.kind == kind
    for kept, action in zip(window.actions, actions, strict=True):
        assert_equal(kept, action)


MAKERS: list[tuple[Callable[[FloatArray], Any], str]] = [
    (lambda b: {"at": b, "deep": [b]}, "O"),
    (lambda b: (b, int(b[2])), "O"),
    (lambda b: f"{b[1]:.0f}.{b[2]:.0f}", "O"),
    (lambda b: b[: int(b[2]) + 1], "O"),
    (lambda b: int(b[2]), "i"),
    (lambda b: [float(b[1]), float(b[2])], "f"),
    (lambda b: b.astype(np.float32).reshape(1, 3), "f"),
    (lambda b: b[2:] if b[2] % 2 else b[2:].astype(np.int64), "f"),
    (lambda b: b[:0], "f"),
    (lambda b: np.array(b[2]), "f"),
]


@pytest.mark.parametrize(("make", "kind"), MAKERS)
def test_observations_of_any_kind_are_kept_as_they_were(
    make: Callable[[FloatArray], Any], kind: str
) -> None:
    window = next(pipeline_over(CountingEnv([3], make), 5).episodes())
    assert window.observations.dtype.kind == kind
    rows = trajectory([3], 5)
    for kept, following, row in zip(
        window.observations, window.next_observations, rows, strict=True
    ):
        assert_equal(kept, make(np.array(row[0], dtype=np.float64)))
        assert_equal(following, make(np.array(row[4], dtype=np.float64)))


def test_the_agent_sees_what_the_environment_returned() -> None:
    env = CountingEnv([3])

    class Seeing(FakeAgent):
        def act(self, observation: Any) -> Any:
            assert observation is env.buffer
            return super().act(observation)

    next(SimplePipeline(env, Seeing(), 4).episodes())


def test_seed_drops_the_episode_in_progress() -> None:
    env = CountingEnv([5])
    pipeline = pipeline_over(env, 3)
    windows = pipeline.episodes()
    next(windows)
    pipeline.seed(42)
    window = next(windows)
    assert window.observations[0].tolist() == [42.0, 0.0, 0.0]
    assert window.returns_before is not None
    assert window.returns_before.tolist() == [0.0]


def test_validation_windows_start_on_a_fixed_list_of_seeds() -> None:
    pipeline = pipeline_over(CountingEnv([2]), 5)
    pipeline.validate_on(3)
    firsts = [window.observations[0].tolist() for window in islice(pipeline.episodes(), 20)]
    seeds = [first[0] for first in firsts]
    assert all(first[1:] == [0.0, 0.0] for first in firsts)
    assert seeds[:10] == seeds[10:]
    assert len(set(seeds)) == 10
    other = pipeline_over(CountingEnv([2]), 5)
    other.validate_on(4)
    assert next(other.episodes()).observations[0, 0] not in seeds


def test_validation_is_greedy_where_the_agent_can() -> None:
    agent = FakeGreedyAgent(n_actions=7)
    pipeline = SimplePipeline(CountingEnv([2]), agent, 5)
    pipeline.validate_on(3)
    window = next(pipeline.episodes())
    assert window.actions.tolist() == [6] * 5
    assert agent.calls["act"] == 0


def test_an_environment_without_seeds_is_played_and_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Seedless:
        def reset(self) -> tuple[int, dict[str, Any]]:
            return 0, {}

        def step(self, action: Any) -> tuple[int, float, bool, bool, dict[str, Any]]:
            return 1, 1.0, False, False, {}

    pipeline = pipeline_over(Seedless())
    with caplog.at_level(logging.WARNING):
        pipeline.seed(1)
        pipeline.seed(2)
    assert next(pipeline.episodes()).total_reward == 4.0
    assert len(caplog.records) == 1
    pipeline.teardown()


def test_windows_are_numbered_and_stamped() -> None:
    clock = FakeClock(100.0, tick_s=1.0)
    pipeline = SimplePipeline(CountingEnv([2]), FakeAgent(), 3, clock=clock)
    windows = list(islice(pipeline.episodes(), 3))
    assert [window.episode_id for window in windows] == [0, 1, 2]
    assert [window.timestamp for window in windows] == [100.0, 101.0, 102.0]


def test_teardown_closes_once_and_setup_opens_again() -> None:
    env = CountingEnv([5])
    pipeline = pipeline_over(env)
    windows = pipeline.episodes()
    next(windows)
    pipeline.teardown()
    pipeline.teardown()
    assert env.n_closes == 1
    with pytest.raises(PipelineError, match="setup"):
        next(windows)
    with pytest.raises(PipelineError, match="setup"):
        pipeline.episodes()
    pipeline.setup()
    assert next(pipeline.episodes()).observations[0, 2] == 0.0


@pytest.mark.parametrize(
    ("options", "value"),
    [({"window_size": 0}, "0"), ({"window_size": -3}, "-3"), ({"window_size": 2.5}, "2.5")],
)
def test_a_window_needs_rows(options: dict[str, Any], value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"window_size .*{value}"):
        SimplePipeline(CountingEnv([2]), **options)


def test_parts_are_checked() -> None:
    env: Any = object()
    with pytest.raises(ConfigurationError, match="reset and step, got object"):
        SimplePipeline(env)
    agent: Any = "agent"
    with pytest.raises(ContractViolationError, match="BaseAgent, got str"):
        SimplePipeline(CountingEnv([2]), agent)
    with pytest.raises(PipelineError, match="set_agent"):
        SimplePipeline(CountingEnv([2])).episodes()
    with pytest.raises(ConfigurationError, match="-1"):
        SimplePipeline(CountingEnv([2])).seed(-1)
    with pytest.raises(ConfigurationError, match="whole number"):
        SimplePipeline(CountingEnv([2])).validate_on(0.5)  # pyright: ignore[reportArgumentType]


class Broken(CountingEnv):
    """Returns something else at the third step: the whole, or fields of it by position."""

    def __init__(self, whole: Any = ..., **fields: Any) -> None:
        super().__init__([100])
        self.whole = whole
        self.fields = fields

    def step(self, action: Any) -> Any:
        result = super().step(action)
        if self.step_in_episode != 3:
            return result
        names = ("observation", "reward", "terminated", "truncated", "info")
        values = {**dict(zip(names, result, strict=True)), **self.fields}
        return tuple(values.values()) if self.whole is ... else self.whole


@pytest.mark.parametrize(
    ("env", "message"),
    [
        (Broken((0, 1.0, True, "info")), "got \\(0, 1.0, True"),
        (Broken(None), "got None"),
        (Broken(reward=None), "reward must be one real number, got None"),
        (Broken(reward="much"), "got 'much' of type str"),
        (Broken(reward=np.ones(2)), "reward must be one real number"),
        (Broken(terminated=np.zeros(2)), "terminated must be True or False"),
        (Broken(truncated=np.zeros(2)), "truncated must be True or False"),
    ],
)
def test_a_step_of_another_form_is_named(env: Broken, message: str) -> None:
    windows = pipeline_over(env, 5).episodes()
    with pytest.raises(PipelineError, match=message) as raised:
        next(windows)
    assert raised.value.__notes__ == ["Optix: at step 2 of window 0"]


@pytest.mark.parametrize("result", [0, (0, 1, 2), (0, None)])
def test_a_reset_of_another_form_is_named(result: Any) -> None:
    class Old(CountingEnv):
        def reset(self, *, seed: int | None = None) -> Any:
            return result

    with pytest.raises(PipelineError, match="reset of Old must return"):
        next(pipeline_over(Old([2])).episodes())


@pytest.mark.parametrize("kind", [ValueError, TypeError, KeyError, KeyboardInterrupt])
def test_an_error_leaves_as_raised_and_the_next_window_begins_anew(
    kind: type[BaseException],
) -> None:
    error = kind("from step")

    class Failing(CountingEnv):
        def step(self, action: Any) -> Any:
            if len(self.actions) == 5:
                self.actions.append(action)
                raise error
            return super().step(action)

    env = Failing([50])
    windows = pipeline_over(env, 4).episodes()
    next(windows)
    with pytest.raises(kind) as raised:
        next(windows)
    assert raised.value is error
    assert error.__notes__ == ["Optix: at step 1 of window 1"]
    window = next(windows)
    assert window.episode_id == 1
    assert window.observations[0].tolist() == [0.0, 1.0, 0.0]
    assert window.returns_before is not None
    assert window.returns_before.tolist() == [0.0]


def test_validation_puts_the_state_back_after_an_error() -> None:
    agent = FakeStatefulAgent(raise_at={"act": 3})
    before = agent.state_dict()
    pipeline = SimplePipeline(CountingEnv([2]), agent, 5)
    pipeline.validate_on(0)
    with pytest.raises(RuntimeError):
        next(pipeline.episodes())
    assert_equal(agent.state_dict(), before)
