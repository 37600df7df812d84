"""A window's derived values against a scalar walk through its rows."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optix_core import EpisodeData
from optix_core.errors import ContractViolationError

Case = tuple[list[list[float]], list[list[bool]], list[list[bool]], list[float]]


def make_window(rewards: Any, terminated: Any, truncated: Any = None, **fields: Any) -> EpisodeData:
    shape = np.shape(rewards)
    rows = np.zeros((*shape, 2))
    return EpisodeData(
        observations=rows,
        actions=np.zeros(shape, dtype=np.int64),
        rewards=rewards,
        terminated=terminated,
        truncated=np.zeros(shape, dtype=np.bool_) if truncated is None else truncated,
        next_observations=rows,
        **fields,
    )


def walk(
    rewards: Any, dones: list[list[bool]], valid: list[list[bool]], before: list[float]
) -> tuple[list[float], list[float]]:
    """Slow twin: one row of one environment at a time."""
    running, ended = list(before), list[float]()
    for row in range(len(rewards)):
        for env in range(len(before)):
            if valid[row][env]:
                running[env] += rewards[row][env]
            if dones[row][env]:
                ended.append(running[env])
                running[env] = 0.0
    return ended, running


@st.composite
def windows(draw: st.DrawFn) -> Case:
    length, envs = draw(st.integers(1, 12)), draw(st.integers(1, 4))
    flags = st.lists(st.booleans(), min_size=envs, max_size=envs)
    numbers = st.lists(st.integers(-5, 5).map(float), min_size=envs, max_size=envs)
    rewards = draw(st.lists(numbers, min_size=length, max_size=length))
    dones, valid = (draw(st.lists(flags, min_size=length, max_size=length)) for _ in range(2))
    before = draw(st.lists(st.integers(-9, 9).map(float), min_size=envs, max_size=envs))
    return rewards, dones, valid, before


@given(windows())
def test_episode_returns_equal_a_walk_through_the_rows(case: Case) -> None:
    rewards, dones, valid, before = case
    window = make_window(rewards, dones, valid=valid, returns_before=before)
    ended, running = walk(rewards, dones, valid, before)
    assert window.episode_returns.tolist() == ended
    columns = [
        walk(
            [[row[env]] for row in rewards],
            [[row[env]] for row in dones],
            [[row[env]] for row in valid],
            [start],
        )[0]
        for env, start in enumerate(before)
    ]
    assert window.returns_by_environment.tolist() == [
        value for column in columns for value in column
    ]
    assert window.returns_after.tolist() == running
    assert window.length == int(np.sum(valid))
    assert window.num_envs == len(before)


@given(windows(), st.data())
def test_cutting_a_window_in_two_loses_no_return(case: Case, data: st.DataObject) -> None:
    rewards, dones, valid, before = case
    cut = data.draw(st.integers(0, len(rewards)))
    whole = make_window(rewards, dones, valid=valid, returns_before=before)
    first = make_window(
        np.reshape(rewards[:cut], (cut, len(before))),
        np.reshape(dones[:cut], (cut, len(before))),
        valid=np.reshape(valid[:cut], (cut, len(before))),
        returns_before=before,
    )
    second = make_window(
        np.reshape(rewards[cut:], (-1, len(before))),
        np.reshape(dones[cut:], (-1, len(before))),
        valid=np.reshape(valid[cut:], (-1, len(before))),
        returns_before=first.returns_after,
    )
    assert [*first.episode_returns, *second.episode_returns] == whole.episode_returns.tolist()
    assert second.returns_after.tolist() == whole.returns_after.tolist()


def test_single_environment_has_one_axis() -> None:
    window = make_window([1.0, 2.0, 4.0], [False, True, False], returns_before=[10.0])
    assert window.episode_returns.tolist() == [13.0]
    assert window.returns_after.tolist() == [4.0]
    assert (window.num_envs, window.length, window.total_reward) == (1, 3, 7.0)
    assert not window.partial


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("terminated", [False]),
        ("truncated", [[False], [False]]),
        ("observations", np.zeros((3, 2))),
        ("next_observations", np.zeros((1, 2))),
        ("actions", np.zeros(5)),
        ("valid", [True]),
        ("returns_before", [0.0, 0.0]),
    ],
)
def test_disagreeing_shapes_are_refused_by_name(field: str, value: Any) -> None:
    fields: dict[str, Any] = {
        "observations": np.zeros((2, 2)),
        "next_observations": np.zeros((2, 2)),
    }
    fields |= {"actions": np.zeros(2), "rewards": [0.0, 0.0]}
    fields |= {"terminated": [False, False], "truncated": [False, False], field: value}
    with pytest.raises(ContractViolationError, match=field):
        EpisodeData(**fields)


def test_rewards_need_one_or_two_axes() -> None:
    with pytest.raises(ContractViolationError, match=r"\[T\] or \[T, N\]"):
        make_window(np.zeros((2, 2, 2)), np.zeros((2, 2, 2), dtype=bool))
