"""Estimates of a policy's change against plain-Python references, and against true divergences."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from optix_core.action_columns import ActionColumns, columns_of
from optix_core.policy_change import (
    change_of_coupled_actions,
    change_of_distributions,
    change_of_independent_actions,
)

N_ROWS = 40


def columns(discrete: Any = (), continuous: Any = ()) -> ActionColumns:
    n = max(len(discrete), len(continuous))
    return ActionColumns(
        discrete=np.array(discrete, np.int64).reshape(n, -1),
        continuous=np.array(continuous, np.float64).reshape(n, -1),
    )


discrete_tables = hnp.arrays(np.int64, (3, 12, 2), elements=st.integers(0, 2))
continuous_tables = hnp.arrays(
    np.float64, (3, 12, 2), elements=st.floats(-1e3, 1e3).map(lambda x: round(x, 3))
)


def coupled_reference(
    discrete: NDArray[np.int64], continuous: NDArray[np.float64], *, is_stochastic: bool
) -> float | None:
    """The formulas, component by component."""
    (a, a2, b), (x, x2, y) = discrete.tolist(), continuous.tolist()
    n = len(a)
    same = a == a2 and x == x2
    if same and not is_stochastic:
        return None
    total = 0.0
    for k in range(len(a[0])):
        changed = sum(a[i][k] != b[i][k] for i in range(n)) / n
        spread = sum(a[i][k] != a2[i][k] for i in range(n)) / n
        total += changed**2 / max(spread, 0.02)
    for k in range(len(x[0])):
        variance = sum((x[i][k] - x2[i][k]) ** 2 for i in range(n)) / n / 2
        if variance > 0:
            total += sum((x[i][k] - y[i][k]) ** 2 for i in range(n)) / n / (2 * variance)
    return total


@given(discrete=discrete_tables, continuous=continuous_tables, is_stochastic=st.booleans())
def test_coupled_actions_follow_the_formulas(
    discrete: NDArray[np.int64],
    continuous: NDArray[np.float64],
    *,
    is_stochastic: bool,
) -> None:
    old, again, new = (columns(d, c) for d, c in zip(discrete, continuous, strict=True))
    change = change_of_coupled_actions(old, again, new, is_stochastic=is_stochastic)
    expected = coupled_reference(discrete, continuous, is_stochastic=is_stochastic)
    if expected is None:
        assert change is None  # deterministic with continuous components: no scale
    else:
        assert change is not None
        assert change.amount == pytest.approx(expected, rel=1e-9)
        assert (change.error, change.is_churn) == (0.0, False)


@given(discrete_tables)
def test_a_greedy_policy_gives_the_share_of_rows_that_changed(table: NDArray[np.int64]) -> None:
    old, _, new = (columns(rows) for rows in table)
    pairs: list[tuple[Any, Any]] = list(zip(table[0].tolist(), table[2].tolist(), strict=True))
    expected = sum(before != after for before, after in pairs) / len(pairs)
    for change in (
        change_of_coupled_actions(old, old, new, is_stochastic=False),
        change_of_independent_actions((old, old), (new, new)),
    ):
        assert change is not None
        assert change.is_churn
        assert change.amount == pytest.approx(expected)


@given(hnp.arrays(np.float64, (4, 9, 1), elements=st.integers(-9, 9).map(float)))
def test_independent_actions_follow_the_formula(table: NDArray[np.float64]) -> None:
    a, a2, b, b2 = ([row[0] for row in rows] for rows in table.tolist())
    variance = sum((u - v) ** 2 for u, v in zip(a, a2, strict=True)) / len(a) / 2
    rows = [
        sum((u - v) ** 2 for u in (a[i], a2[i]) for v in (b[i], b2[i])) / 4
        - ((a[i] - a2[i]) ** 2 + (b[i] - b2[i]) ** 2) / 2
        for i in range(len(a))
    ]
    change = change_of_independent_actions(
        (columns(continuous=a), columns(continuous=a2)),
        (columns(continuous=b), columns(continuous=b2)),
    )
    if a == a2 and b == b2:
        assert change is None
        return
    assert change is not None
    if variance == 0:
        assert change.amount == 0.0
        return
    scaled = [row / (2 * variance) for row in rows]
    mean = sum(scaled) / len(scaled)
    spread = math.sqrt(sum((row - mean) ** 2 for row in scaled) / (len(scaled) - 1))
    assert change.amount == pytest.approx(mean, abs=1e-9, rel=1e-9)
    assert change.error == pytest.approx(spread / math.sqrt(len(scaled)), abs=1e-9)


def test_binary_policies_are_estimated_near_their_divergence() -> None:
    rng = np.random.default_rng(0)
    p = rng.uniform(0.2, 0.8, 20_000)
    q = p + np.where(rng.random(len(p)) < 0.5, 0.06, -0.06)
    truth = float(np.mean(p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))))
    u, v, w, z = rng.random((4, len(p)))
    coupled = change_of_coupled_actions(
        columns(u < p), columns(v < p), columns(u < q), is_stochastic=True
    )
    chance = change_of_independent_actions(
        (columns(u < p), columns(v < p)), (columns(w < q), columns(z < q))
    )
    assert coupled is not None
    assert chance is not None
    assert coupled.amount == pytest.approx(truth, rel=0.35)
    assert abs(chance.amount - truth) < 3 * chance.error


def test_gaussian_actions_are_estimated_at_their_divergence() -> None:
    rng = np.random.default_rng(1)
    noise, other = rng.standard_normal((2, 50_000))
    change = change_of_coupled_actions(
        columns(continuous=0.5 * noise),
        columns(continuous=0.5 * other),
        columns(continuous=0.5 * noise + 0.1),
        is_stochastic=True,
    )
    assert change is not None
    assert change.amount == pytest.approx(0.1**2 / (2 * 0.5**2), rel=0.03)


def probabilities(rng: np.random.Generator, n_actions: int = 3) -> NDArray[np.float64]:
    return rng.dirichlet(np.ones(n_actions), N_ROWS)


@given(st.integers(0, 2**32))
def test_probabilities_give_their_divergence(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p, q = probabilities(rng), probabilities(rng)
    expected = sum(
        pk * (math.log(max(pk, 1e-12)) - math.log(max(qk, 1e-12)))
        for old, new in zip(p.tolist(), q.tolist(), strict=True)
        for pk, qk in zip(old, new, strict=True)
    ) / len(p)
    change = change_of_distributions(p, q)
    assert change is not None
    assert not change.is_churn
    assert change.amount == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("epsilon", [0.0, 0.1])
def test_exploration_that_ignores_observations_is_no_policy_of_its_own(epsilon: float) -> None:
    rng = np.random.default_rng(2)

    def epsilon_greedy(actions: NDArray[np.int64]) -> NDArray[np.float64]:
        return (1 - epsilon) * np.eye(3)[actions] + epsilon / 3

    old = rng.integers(3, size=N_ROWS)
    new = old.copy()
    new[:10] = (new[:10] + 1) % 3
    change = change_of_distributions(epsilon_greedy(old), epsilon_greedy(new))
    assert change is not None
    assert change.is_churn
    assert change.amount == 10 / N_ROWS


def test_a_policy_that_ignores_its_observations_is_not_held_for_greedy() -> None:
    p, q = np.tile([0.6, 0.4], (N_ROWS, 1)), np.tile([0.5, 0.5], (N_ROWS, 1))
    change = change_of_distributions(p, q)
    assert change is not None
    assert not change.is_churn
    assert change.amount == pytest.approx(0.6 * math.log(1.2) + 0.4 * math.log(0.8))


def test_means_and_deviations_give_their_divergence() -> None:
    p = (np.array([[0.0, 1.0]]), np.array([[1.0, 2.0]]))
    q = (np.array([[0.5, 1.0]]), np.array([[2.0, 2.0]]))
    change = change_of_distributions(p, q)
    assert change is not None
    assert change.amount == pytest.approx(math.log(2.0) + (1 + 0.25) / 8 - 0.5)
    assert change_of_distributions(p, (p[0], np.zeros((1, 2)))) is None


def test_no_rows_say_nothing() -> None:
    none = ActionColumns(discrete=np.zeros((0, 1), np.int64), continuous=np.zeros((0, 0)))
    assert change_of_coupled_actions(none, none, none, is_stochastic=True) is None
    assert change_of_independent_actions((none, none), (none, none)) is None
    assert change_of_distributions(np.zeros((0, 2)), np.zeros((0, 2))) is None
    nothing = (np.zeros((0, 2)), np.zeros((0, 2)))
    assert change_of_distributions(nothing, nothing) is None


def test_one_row_of_chance_is_never_proof() -> None:
    new = columns([1])
    change = change_of_independent_actions((columns([0]), columns([1])), (new, new))
    assert change is not None
    assert change.error == math.inf


@pytest.mark.parametrize(
    ("actions", "n_discrete", "n_continuous"),
    [
        ([1, 0, 2], 1, 0),
        (np.array([[1, 2], [3, 4]]), 2, 0),
        ([True, False], 1, 0),
        ([0.5, 1.5], 0, 1),
        ([np.zeros((2, 2)), np.ones((2, 2))], 0, 4),
        ([{"b": 1, "a": np.zeros(2)}, {"a": np.ones(2), "b": 0}], 1, 2),
        ([(1, (0.5, True)), (2, (0.25, False))], 2, 1),
        ([[1, 0], [0, 1]], 2, 0),
    ],
)
def test_actions_of_any_kind_are_taken_apart(
    actions: Any, n_discrete: int, n_continuous: int
) -> None:
    table = columns_of(actions)
    assert table is not None
    assert len(table) == len(actions)
    assert table.discrete.shape[1] == n_discrete
    assert table.continuous.shape[1] == n_continuous


def test_components_keep_their_values() -> None:
    table = columns_of([{"move": 2, "push": [0.5, -1.0]}, {"move": 0, "push": [0.0, 1.0]}])
    assert table is not None
    assert table.discrete.tolist() == [[2], [0]]
    assert table.continuous.tolist() == [[0.5, -1.0], [0.0, 1.0]]


@pytest.mark.parametrize(
    "actions",
    [
        ["left", "right"],
        [None, None],
        [1 + 2j, 0j],
        [{"a": 1}, {"b": 1}],
        [(1, 2), (1, 2, 3)],
        [{"a": "x"}, {"a": "y"}],
        [],
    ],
)
def test_actions_that_cannot_be_compared_are_refused(actions: Any) -> None:
    table = columns_of(actions)
    assert table is None or not len(table)
