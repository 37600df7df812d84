"""Who is chosen to act: the greedy rule against its slow twin, and what it promises."""

import math
from collections.abc import Sequence
from itertools import chain, combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optix_core.mean_comparison import paired_p
from optix_evolve.ensemble_selection import Members, Selection, select_members
from optix_evolve.score_weights import mean_score


class Table:
    """What each set of members earns; counts who played."""

    def __init__(self, n_members: int, n_episodes: int, *, seed: int, n_levels: int) -> None:
        rng = np.random.default_rng(seed)
        everybody = range(n_members)
        sets = chain.from_iterable(combinations(everybody, k + 1) for k in everybody)
        self.returns = {
            members: rng.integers(0, n_levels, n_episodes).astype(float).tolist()
            for members in sets
        }
        self.played: list[Members] = []

    def play(self, members: Members) -> Sequence[float]:
        self.played.append(members)
        return self.returns[members]


tables = st.builds(
    Table,
    st.integers(1, 7),
    st.integers(2, 9),
    seed=st.integers(0, 10_000),
    n_levels=st.sampled_from([1, 2, 3, 1000]),
)


def chosen(selection: Selection | None) -> Members:
    assert selection is not None
    return selection.members


def slow_choice(table: Table, n_members: int) -> set[int]:
    """The rule read aloud, on sets and without a memory."""
    mean = {members: mean_score(returns) for members, returns in table.returns.items()}
    everybody = sorted(range(n_members), key=lambda i: (-mean[i,], i))
    pool, acting = set(everybody[:5]), {everybody[0]}
    while True:
        now = table.returns[tuple(sorted(acting))]
        if all(value == now[0] for value in now):
            return acting
        better: dict[Members, tuple[float, int, list[int]]] = {}
        for members, returns in table.returns.items():
            added = set(members) - acting
            if acting < set(members) <= pool and len(added) <= 2 and paired_p(returns, now) < 0.05:
                rank = sorted(everybody.index(i) for i in added)
                better[members] = (-mean[members], len(added), rank)
        if not better:
            return acting
        acting = set(min(better, key=lambda members: better[members]))


@given(tables)
def test_the_choice_is_that_of_the_rule(table: Table) -> None:
    n_members = max(max(members) for members in table.returns) + 1
    selection = select_members(n_members, table.play)
    assert set(chosen(selection)) == slow_choice(table, n_members)


@given(tables)
def test_nobody_plays_twice_and_the_cost_is_bounded(table: Table) -> None:
    n_members = max(max(members) for members in table.returns) + 1
    selection = select_members(n_members, table.play)
    assert selection is not None
    assert len(table.played) == len(set(table.played)) <= n_members + 15
    assert selection.n_episodes == len(table.played) * len(table.returns[0,])
    told = selection.to_event()
    assert told["members"] == list(selection.members)
    assert told["episodes"] == selection.n_episodes
    assert [trial["p"] for trial in told["trials"][:n_members]] == [None] * n_members


@given(tables)
def test_a_set_acts_only_if_it_earned_more_than_the_best_alone(table: Table) -> None:
    n_members = max(max(members) for members in table.returns) + 1
    members = chosen(select_members(n_members, table.play))
    best = max(sum(table.returns[i,]) for i in range(n_members))
    earned = sum(table.returns[members])
    assert earned == best if len(members) == 1 else earned > best
    assert members == tuple(sorted(set(members)))


def by_size(members: Members, gains: dict[Members, float]) -> list[float]:
    """Returns around 10 and what a set gains, with a spread that pairs share."""
    base = [8.0, 9.0, 10.0, 11.0, 12.0]
    wobble = [0.1, -0.1, 0.0, 0.1, -0.1]
    return [
        b + gains.get(members, -1.0) + w * len(members) for b, w in zip(base, wobble, strict=True)
    ]


def test_the_best_acts_alone_where_nobody_improves_on_it() -> None:
    gains: dict[Members, float] = {(0,): 0.0, (1,): 2.0, (2,): 1.0}
    assert chosen(select_members(3, lambda members: by_size(members, gains))) == (1,)


def test_two_join_at_once_where_neither_would_alone() -> None:
    gains: dict[Members, float] = {(0,): 2.0, (1,): 0.0, (2,): 0.0, (0, 1, 2): 5.0}
    assert chosen(select_members(3, lambda members: by_size(members, gains))) == (0, 1, 2)


def test_a_gain_that_chance_explains_is_left_out() -> None:
    returns: dict[Members, list[float]] = {
        (0,): [0.0, 10.0, 20.0, 30.0],
        (1,): [0.0, 0.0, 0.0, 0.0],
        (0, 1): [30.0, 0.0, 35.0, 0.0],
    }
    assert chosen(select_members(2, lambda members: returns[members])) == (0,)


def test_nobody_is_tried_at_a_ceiling() -> None:
    table = Table(4, 6, seed=0, n_levels=1)
    assert chosen(select_members(4, table.play)) == (0,)
    assert table.played == [(0,), (1,), (2,), (3,)]


def test_the_sixth_best_acts_with_nobody() -> None:
    alone: dict[Members, list[float]] = {(i,): [10.0 * i, 10.0 * i + 1] for i in range(6)}
    played: list[Members] = []

    def play(members: Members) -> Sequence[float]:
        played.append(members)
        return alone.get(members, [0.0, 0.0])

    assert chosen(select_members(6, play)) == (5,)
    assert {i for members in played if len(members) > 1 for i in members} == {1, 2, 3, 4, 5}


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_returns_that_are_not_finite_are_no_reason_to_act(bad: float) -> None:
    returns: dict[Members, list[float]] = {(0,): [bad, 1.0], (1,): [1.0, 2.0], (0, 1): [bad, 9.0]}
    selection = select_members(2, lambda members: returns[members])
    assert chosen(selection) == (1,)
    assert selection is not None
    assert selection.to_event()["trials"][0]["mean"] is None


@pytest.mark.parametrize(("n_members", "returns"), [(0, [1.0, 2.0]), (2, []), (2, [1.0])])
def test_without_members_or_episodes_there_is_no_choice(
    n_members: int, returns: list[float]
) -> None:
    assert select_members(n_members, lambda _: returns) is None
