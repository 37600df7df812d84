"""The ring of experience, priorities and n-step transitions, each against a slow reference."""

from collections import deque
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal, assert_equal

from optix_core import EpisodeData
from optix_core.errors import CheckpointError, ConfigurationError, ContractViolationError
from optix_tf.n_step_rows import NStepRows
from optix_tf.replay_ring import ReplayRing
from optix_tf.sum_tree import SumTree

from .reference import n_step_transitions


def rows(values: list[int]) -> dict[str, Any]:
    pairs = np.array([[v, -v] for v in values], np.float32).reshape(-1, 2)
    return {"x": np.array(values, np.int64), "y": pairs}


@given(st.integers(1, 9), st.lists(st.integers(1, 12), max_size=8))
def test_a_ring_holds_the_newest_rows(capacity: int, sizes: list[int]) -> None:
    ring, held, count = ReplayRing(capacity), deque[int](maxlen=capacity), 0
    for size in sizes:
        new = list(range(count, count + size))
        positions = ring.append(rows(new))
        held.extend(new)
        count += size
        assert_array_equal(ring.take(positions)["x"], new[-capacity:])
    assert len(ring) == len(held)
    assert ring.appended == count
    if held:
        everything = ring.take(np.arange(len(ring)))
        assert sorted(everything["x"]) == list(held)
        assert_array_equal(everything["y"], np.stack((everything["x"], -everything["x"]), 1))
        assert_array_equal(everything["x"] % capacity, np.arange(len(ring)))


@given(st.integers(1, 9), st.integers(0, 20), st.integers(1, 6))
def test_a_ring_that_was_put_back_goes_on_alike(capacity: int, before: int, more: int) -> None:
    one, other = ReplayRing(capacity), ReplayRing(capacity)
    if before:
        one.append(rows(list(range(before))))
    other.load_state_dict(one.state_dict())
    for ring in (one, other):
        ring.append(rows(list(range(100, 100 + more))))
    assert_equal(one.state_dict(), other.state_dict())


@given(st.integers(1, 9), st.integers(1, 20), st.integers(0, 20))
def test_rows_by_number_make_the_state_again(capacity: int, n_rows: int, start: int) -> None:
    ring = ReplayRing(capacity)
    assert ring.extent is None
    ring.append(rows(list(range(n_rows))))
    extent = ring.extent
    assert extent is not None
    assert (extent.first, extent.appended) == (max(0, n_rows - capacity), n_rows)
    start = min(max(start, extent.first), n_rows)
    assert_equal(ring.rows(start, n_rows), rows(list(range(start, n_rows))))
    held = ring.rows(extent.first, n_rows)
    assert_equal(ring.laid(held, n_rows), ring.state_dict()["columns"])


def test_a_history_ends_where_other_rows_are_put_back() -> None:
    ring, other = ReplayRing(4), ReplayRing(4)
    for values, filled in ([1, 2, 3], ring), ([1, 2, 4], other):
        filled.append(rows(values))
    began = ring.extent
    ring.append(rows([5]))
    ring.load_state_dict(ring.state_dict())
    same = ring.extent
    ring.load_state_dict(other.state_dict())
    changed = ring.extent
    assert began is not None
    assert same is not None
    assert changed is not None
    assert began.history is same.history
    assert changed.history is not began.history
    ring.load_state_dict({"appended": 3, "columns": rows([1, 2, 3])})
    again = ring.extent
    assert again is not None
    assert again.history is not changed.history


def test_a_state_is_a_copy() -> None:
    ring = ReplayRing(4)
    ring.append(rows([1, 2, 3, 4]))
    state = ring.state_dict()
    ring.append(rows([5]))
    assert_array_equal(state["columns"]["x"], [1, 2, 3, 4])


def test_what_does_not_fit_a_ring_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="at least 1, got 0"):
        ReplayRing(0)
    ring = ReplayRing(4)
    ring.append(rows([1, 2, 3]))
    with pytest.raises(ContractViolationError, match="columns"):
        ring.append({"x": np.zeros(1)})
    with pytest.raises(ContractViolationError, match=r"y must have shape \(1, 2\), got \(1, 3\)"):
        ring.append({"x": np.zeros(1), "y": np.zeros((1, 3))})
    with pytest.raises(CheckpointError, match="capacity that was saved"):
        ReplayRing(2).load_state_dict(ring.state_dict())


@given(st.integers(1, 20), st.data())
def test_priorities_are_found_as_by_cumulated_sums(capacity: int, data: st.DataObject) -> None:
    tree, plain = SumTree(capacity), np.zeros(capacity)
    changes = st.lists(
        st.tuples(st.integers(0, capacity - 1), st.integers(0, 50)), min_size=1, max_size=30
    )
    for change in data.draw(st.lists(changes, min_size=1, max_size=3)):
        positions, values = (np.array(column) for column in zip(*change, strict=True))
        tree.put(positions, values.astype(np.float64))
        for position, value in change:
            plain[position] = value
    assert_array_equal(tree.priorities, plain)
    assert tree.total == plain.sum()
    if plain.sum():
        fractions = np.arange(64) / 64
        wanted = [int(np.argmax(np.cumsum(plain) > u * plain.sum())) for u in fractions]
        assert_array_equal(tree.find(fractions), wanted)


def test_rounding_never_finds_what_has_no_priority() -> None:
    tree = SumTree(5)
    tree.put(np.arange(3), np.array([0.1, 0.2, 0.3]))
    assert_array_equal(tree.find(np.array([0.0, np.nextafter(1.0, 0.0)])), [0, 2])
    with pytest.raises(ConfigurationError, match="at least one leaf"):
        SumTree(0)


_ROW = ("o", "r", "term", "trunc", "o2")


def window_of(steps: list[tuple[int, int, bool]], start: int) -> dict[str, Any]:
    """One environment's columns: observations count up, an ended episode jumps by 1,000."""
    columns: dict[str, list[Any]] = {"o": [], "r": [], "term": [], "trunc": [], "o2": [], "v": []}
    at = start
    for reward, kind, is_valid in steps:
        # 0 and 1 go on, 2 terminates, 3 truncates, 4 does both.
        term, trunc = kind in (2, 4), kind in (3, 4)
        ends = is_valid and (term or trunc)
        for name, value in zip(
            columns,
            (at, reward, is_valid and term, is_valid and trunc, at + 1, is_valid),
            strict=True,
        ):
            columns[name].append(value)
        at = at + 1000 if ends else at + int(is_valid)
    return {**columns, "end": at}


steps = st.tuples(st.integers(-3, 3), st.sampled_from([0, 0, 0, 0, 1, 2, 3, 4]), st.booleans())


@given(
    episodes=st.lists(st.lists(steps, min_size=4, max_size=4), min_size=3, max_size=9),
    n=st.integers(1, 6),
    gamma=st.sampled_from([1.0, 0.5, 0.0]),
    has_break=st.booleans(),
)
def test_transitions_are_those_of_the_definition_however_windows_cut(
    episodes: list[list[tuple[int, int, bool]]], n: int, gamma: float, *, has_break: bool
) -> None:
    """Windows of 4 steps, three environments in a vector; after a break nothing is continued."""
    n_envs = 3
    windows = [episodes[i : i + n_envs] for i in range(0, len(episodes) - n_envs + 1, n_envs)]
    rows_maker, found = NStepRows(), list[Any]()
    starts = [10_000 * (env + 1) for env in range(n_envs)]
    histories: list[list[list[Any]]] = [[[]] for _ in range(n_envs)]
    for number, columns in enumerate(windows):
        if has_break and number == 1:
            starts = [start + 500_000 for start in starts]
            for history in histories:
                history.append([])
        made = [window_of(column, starts[env]) for env, column in enumerate(columns)]
        starts = [column["end"] for column in made]
        for env, column in enumerate(made):
            rows = zip(*(column[name] for name in (*_ROW, "v")), strict=True)
            histories[env][-1].extend(row for *row, is_valid in rows if is_valid)

        def stacked(name: str, kind: Any, made: Any = made) -> Any:
            return np.array([column[name] for column in made], kind).T

        data = EpisodeData(
            observations=stacked("o", np.int64)[..., np.newaxis],
            actions=stacked("o", np.int64) * 2,
            rewards=stacked("r", np.float64),
            terminated=stacked("term", np.bool_),
            truncated=stacked("trunc", np.bool_),
            next_observations=stacked("o2", np.int64)[..., np.newaxis],
            valid=stacked("v", np.bool_),
        )
        got = rows_maker.transitions(data, n=n, gamma=gamma)
        assert_array_equal(got["action"], 2 * got["observation"][:, 0])
        found.extend(
            zip(
                got["observation"][:, 0].tolist(),
                got["reward"].tolist(),
                got["discount"].tolist(),
                got["next_observation"][:, 0].tolist(),
                strict=True,
            )
        )
        again = NStepRows()
        again.load_state_dict(rows_maker.state_dict())
        rows_maker = again
    wanted = [
        row
        for history in histories
        for i, part in enumerate(history)
        for row in n_step_transitions(part, n, gamma, is_cut=is_followed(histories, history, i))
    ]
    assert_allclose(as_rows(found), as_rows(wanted))


def as_rows(transitions: list[Any]) -> Any:
    return np.array(sorted(transitions), np.float64).reshape(-1, 4)


def is_followed(histories: list[Any], history: list[Any], index: int) -> bool:
    """Whether steps of the environment came after this part, so that it no longer waits."""
    return any(history[later] for later in range(index + 1, len(history)))


def test_another_number_of_environments_leaves_nothing_waiting_for_ever() -> None:
    def data(n_envs: int) -> EpisodeData:
        flags = np.zeros((2, n_envs), np.bool_)
        values = np.arange(2 * n_envs, dtype=np.float64).reshape(2, n_envs)
        return EpisodeData(
            observations=values,
            actions=values,
            rewards=values,
            terminated=flags,
            truncated=flags,
            next_observations=values + n_envs,
        )

    maker = NStepRows()
    assert len(maker.transitions(data(2), n=3, gamma=0.5)["reward"]) == 0
    later = maker.transitions(data(1), n=3, gamma=0.5)
    assert_array_equal(later["reward"], [0.0 + 0.5 * 2.0, 2.0, 1.0 + 0.5 * 3.0, 3.0])
    assert_array_equal(later["discount"], [0.25, 0.5, 0.25, 0.5])
