"""BatchPipeline over vector environments: every autoreset mode against the scalar trajectory."""

from collections.abc import Sequence
from functools import partial
from itertools import islice
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_equal

from optix_core.base_agent import BaseAgent
from optix_core.episode_data import EpisodeData
from optix_core.errors import ConfigurationError, PipelineError
from optix_core.testing import (
    FakeAgent,
    FakeGreedyAgent,
    FakeStatefulAgent,
    PipelineContract,
)
from optix_pipelines import BatchPipeline, make_vector

from .counting_env import CountingEnv, Row, count_side_by_side, counting_envs_of, trajectory

MODES = list(AutoresetMode)
LENGTHS = ([3, 5], [4], [1, 2])


class TestNextStepContract(PipelineContract):
    def make_pipeline(self) -> BatchPipeline:
        return BatchPipeline(count_side_by_side(LENGTHS, AutoresetMode.NEXT_STEP), window_size=6)


class TestSameStepContract(PipelineContract):
    def make_pipeline(self) -> BatchPipeline:
        return BatchPipeline(count_side_by_side(LENGTHS, AutoresetMode.SAME_STEP), window_size=6)


class TestDisabledContract(PipelineContract):
    def make_pipeline(self) -> BatchPipeline:
        return BatchPipeline(count_side_by_side(LENGTHS, AutoresetMode.DISABLED), window_size=6)


class TestCartPoleContract(PipelineContract):
    def make_pipeline(self) -> BatchPipeline:
        return BatchPipeline(make_vector("CartPole-v1", 3), window_size=20)


def rows_of(windows: Sequence[EpisodeData], env: int) -> list[Row]:
    """The valid rows of one environment, windows end to end."""
    return [
        Row(
            window.observations[t, env].tolist(),
            float(window.rewards[t, env]),
            bool(window.terminated[t, env]),
            bool(window.truncated[t, env]),
            window.next_observations[t, env].tolist(),
        )
        for window in windows
        for t in range(len(window.rewards))
        if window.valid is None or window.valid[t, env]
    ]


def returns_of(rows: Sequence[Row]) -> list[float]:
    """Returns of the episodes that end in rows, the slow way."""
    returns: list[float] = []
    total = 0.0
    for row in rows:
        total += row.reward
        if row.terminated or row.truncated:
            returns.append(total)
            total = 0.0
    return returns


@given(
    lengths=st.lists(st.lists(st.integers(1, 5), min_size=1, max_size=3), min_size=1, max_size=3),
    mode=st.sampled_from(MODES),
    size=st.tuples(st.integers(1, 8), st.integers(1, 4)),
    agent_type=st.sampled_from([FakeAgent, FakeGreedyAgent]),
)
def test_each_environment_lives_the_scalar_trajectory(
    lengths: list[list[int]],
    mode: AutoresetMode,
    size: tuple[int, int],
    agent_type: type[FakeAgent],
) -> None:
    window_size, n_windows = size
    env = count_side_by_side(lengths, mode)
    agent = agent_type()
    pipeline = BatchPipeline(env, agent, window_size)
    pipeline.seed(40)
    windows = list(islice(pipeline.episodes(), n_windows))
    returns: list[float] = []
    n_rows = 0
    for index, own_lengths in enumerate(lengths):
        rows = rows_of(windows, index)
        assert rows == trajectory(own_lengths, len(rows), seed=40 + index)
        returns.extend(returns_of(rows))
        n_rows += len(rows)
        _check_actions(env, windows, index)
    ended = [value for window in windows for value in window.episode_returns.tolist()]
    assert sorted(ended) == sorted(returns)
    assert sum(window.length for window in windows) == n_rows
    assert agent.calls["act"] == (0 if agent_type is FakeGreedyAgent else n_rows)
    if mode is not AutoresetMode.NEXT_STEP:
        assert n_rows == window_size * n_windows * len(lengths)
        assert all(window.valid is None for window in windows)


def _check_actions(env: SyncVectorEnv, windows: Sequence[EpisodeData], index: int) -> None:
    stored = [
        window.actions[t, index]
        for window in windows
        for t in range(len(window.rewards))
        if window.valid is None or window.valid[t, index]
    ]
    assert_equal(np.array(counting_envs_of(env)[index].actions), np.array(stored))


def test_a_reset_row_is_invalid_and_ends_nothing() -> None:
    env = count_side_by_side([[2]], AutoresetMode.NEXT_STEP)
    window = next(BatchPipeline(env, FakeAgent(), 7).episodes())
    assert window.valid is not None
    assert window.valid[:, 0].tolist() == [True, True, False, True, True, False, True]
    assert window.dones[:, 0].tolist() == [False, True, False, False, True, False, False]
    assert window.observations[2, 0].tolist() == [0.0, 0.0, 2.0]
    assert window.next_observations[2, 0].tolist() == [0.0, 1.0, 0.0]
    assert window.length == 5


@pytest.mark.parametrize("mode", MODES)
def test_an_end_at_the_last_row_is_carried_into_the_next_window(mode: AutoresetMode) -> None:
    env = count_side_by_side([[3], [2]], mode)
    windows = list(islice(BatchPipeline(env, FakeAgent(), 3).episodes(), 3))
    for index, length in enumerate([3, 2]):
        rows = rows_of(windows, index)
        assert rows == trajectory([length], len(rows), seed=0)
    assert windows[0].terminated[2, 0]


@pytest.mark.parametrize("mode", MODES)
def test_dict_observations_and_tuple_actions_are_rows_of_objects(mode: AutoresetMode) -> None:
    actions = spaces.Tuple((spaces.Discrete(9), spaces.Box(0, 9, (2,), np.float64)))
    env = count_side_by_side(
        [[2], [3]],
        mode,
        make=lambda buffer: {"at": buffer.copy(), "step": np.int64(buffer[2])},
        observation_space=spaces.Dict(
            {"at": spaces.Box(0, 99, (3,), np.float64), "step": spaces.Discrete(99)}
        ),
        action_space=actions,
    )
    agent = FakeAgent(draw_action=lambda rng: (int(rng.integers(9)), rng.random(2)))
    pipeline = BatchPipeline(env, agent, 6)
    pipeline.seed(5)
    window = next(pipeline.episodes())
    assert window.observations.shape == window.actions.shape == (6, 2)
    for index, length in enumerate([2, 3]):
        valid = np.ones(6, bool) if window.valid is None else window.valid[:, index]
        expected = trajectory([length], int(valid.sum()), seed=5 + index)
        columns = window.observations[valid, index], window.next_observations[valid, index]
        assert [row["at"].tolist() for row in columns[0]] == [row.observation for row in expected]
        assert [row["at"].tolist() for row in columns[1]] == [row.successor for row in expected]
        assert [int(row["step"]) for row in columns[1]] == [row.successor[2] for row in expected]
        stored = list(window.actions[valid, index])
        assert_equal(stored, counting_envs_of(env)[index].actions)


def test_text_actions_reach_every_environment() -> None:
    env = count_side_by_side([[2], [3]], AutoresetMode.DISABLED, action_space=spaces.Text(5))
    window = next(BatchPipeline(env, FakeAgent(draw_action=lambda _: "left"), 4).episodes())
    assert window.actions.shape == (4, 2)
    assert window.actions[3, 1] == "left"
    assert counting_envs_of(env)[1].actions == ["left"] * 4


def test_what_act_batch_returns_reaches_the_environment_untouched() -> None:
    given: list[Any] = []
    returned: list[Any] = []

    class Recording(SyncVectorEnv):
        def step(self, actions: Any) -> Any:
            given.append(actions)
            return super().step(actions)

    class Reusing(FakeGreedyAgent):
        buffer = np.zeros(2, dtype=np.int8)

        def act(self, observation: Any) -> Any:
            raise AssertionError("act was called although act_batch is there")

        def act_batch(self, observations: Any) -> Any:
            self.buffer += 1
            returned.append(self.buffer)
            return self.buffer

    env = Recording([lambda: CountingEnv([3])] * 2)
    window = next(BatchPipeline(env, Reusing(), 4).episodes())
    assert all(one is other for one, other in zip(given, returned, strict=True))
    assert window.actions.tolist() == [[1, 1], [2, 2], [3, 3], [4, 4]]
    assert window.actions.dtype == np.int8


def test_a_subclass_that_overrides_act_alone_is_asked_one_by_one() -> None:
    class Custom(FakeGreedyAgent):
        def act(self, observation: Any) -> Any:
            return 1

    env = count_side_by_side([[3], [3]], AutoresetMode.NEXT_STEP)
    window = next(BatchPipeline(env, Custom(n_actions=5), 3).episodes())
    assert window.actions.tolist() == [[1, 1]] * 3


def test_actions_of_changing_type_are_kept_without_loss() -> None:
    queue = iter([1, 1, 0.5, 0.25])
    env = count_side_by_side(
        [[9], [9]], AutoresetMode.DISABLED, action_space=spaces.Box(0, 1, (), np.float64)
    )
    window = next(BatchPipeline(env, FakeAgent(draw_action=lambda _: next(queue)), 2).episodes())
    assert window.actions.tolist() == [[1.0, 1.0], [0.5, 0.25]]


@pytest.mark.parametrize("mode", MODES)
def test_validation_windows_start_on_a_fixed_list_of_seeds(mode: AutoresetMode) -> None:
    pipeline = BatchPipeline(count_side_by_side(LENGTHS, mode), FakeStatefulAgent(), 5)
    pipeline.validate_on(1)
    starts = [window.observations[0] for window in islice(pipeline.episodes(), 20)]
    assert_equal(starts[:10], starts[10:])
    assert len({float(start[0, 0]) for start in starts}) == 10
    assert all((start[:, 1:] == 0).all() for start in starts)


@pytest.mark.parametrize("agent", [FakeGreedyAgent(), FakeStatefulAgent()])
def test_validation_leaves_no_trace(agent: BaseAgent) -> None:
    assert isinstance(agent, FakeAgent)
    before = agent.rng.bit_generator.state
    pipeline = BatchPipeline(count_side_by_side(LENGTHS, MODES[0]), agent, 5)
    pipeline.validate_on(1)
    window = next(pipeline.episodes())
    assert agent.rng.bit_generator.state == before
    assert agent.calls["act_batch"] == 0
    if isinstance(agent, FakeGreedyAgent):
        assert (window.actions == 1).all()


class Odd(SyncVectorEnv):
    """Changes what `step` returns."""

    def __init__(self, **fields: Any) -> None:
        SyncVectorEnv.__init__(  # pyright: ignore[reportUnknownMemberType]
            self, [lambda: CountingEnv([2])] * 2, autoreset_mode=AutoresetMode.SAME_STEP
        )
        self.fields = fields

    def step(self, actions: Any) -> Any:
        names = ("observations", "rewards", "terminations", "truncations", "infos")
        values = {**dict(zip(names, super().step(actions), strict=True)), **self.fields}
        return tuple(value for value in values.values() if value is not ...)


@pytest.mark.parametrize(
    ("env", "message"),
    [
        (Odd(rewards=1.0), r"rewards of Odd must be an array \[2\] of numbers, got 1.0"),
        (Odd(rewards=np.array(["1", "2"])), "rewards of Odd"),
        (Odd(truncations=np.zeros(3, bool)), r"truncations of Odd must be an array \[2\] of bool"),
        (Odd(terminations=None), "terminations of Odd"),
        (Odd(infos=...), "step of Odd must return"),
        (Odd(infos={}), r"final_obs.*SAME_STEP"),
    ],
)
def test_a_step_of_another_form_is_named(env: Odd, message: str) -> None:
    with pytest.raises(PipelineError, match=message):
        next(BatchPipeline(env, FakeAgent(), 5).episodes())


def test_an_error_leaves_as_raised_and_the_next_window_begins_anew() -> None:
    env = count_side_by_side([[9], [9]], AutoresetMode.NEXT_STEP)
    error = KeyError("from act")
    agent = FakeAgent(raise_at={"act": 6}, error=error)
    windows = BatchPipeline(env, agent, 4).episodes()
    with pytest.raises(KeyError) as raised:
        next(windows)
    assert raised.value is error
    assert error.__notes__ == ["Optix: at step 2 of window 0"]
    assert next(windows).observations[0, :, 2].tolist() == [0.0, 0.0]


def test_an_environment_that_does_not_say_when_it_resets_is_refused() -> None:
    env = count_side_by_side([[2]], AutoresetMode.NEXT_STEP)
    env.metadata = {}
    with pytest.raises(ConfigurationError, match=r"autoreset_mode.*got None"):
        BatchPipeline(env)


def test_teardown_closes_once() -> None:
    env = count_side_by_side([[2], [2]], AutoresetMode.NEXT_STEP)
    pipeline = BatchPipeline(env, FakeAgent(), 3)
    next(pipeline.episodes())
    pipeline.teardown()
    pipeline.teardown()
    assert [sub.n_closes for sub in counting_envs_of(env)] == [1, 1]


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_environments_in_processes_of_their_own_give_the_same(mode: AutoresetMode) -> None:
    make = [partial(gymnasium.make, "CartPole-v1")] * 2
    kinds: list[VectorEnv[Any, Any, Any]] = [
        SyncVectorEnv(make, autoreset_mode=mode),
        AsyncVectorEnv(make, autoreset_mode=mode, context="forkserver"),
    ]
    runs: list[list[EpisodeData]] = []
    for env in kinds:
        pipeline = BatchPipeline(env, FakeAgent(), 25)
        pipeline.seed(7)
        runs.append(list(islice(pipeline.episodes(), 3)))
        pipeline.teardown()
    for one, other in zip(*runs, strict=True):
        for field in ("observations", "rewards", "terminated", "next_observations", "valid"):
            assert_equal(getattr(one, field), getattr(other, field))
