"""Running normalisation against NumPy on everything at once."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray

from optix_core.errors import CheckpointCorruptError, ConfigurationError, ContractViolationError
from optix_core.running_normalisation import RunningNormalisation

Batch = NDArray[np.float64]
batches = st.lists(
    st.integers(0, 7).flatmap(
        lambda n: npst.arrays(np.float64, (n, 3), elements=st.floats(-1e6, 1e6))
    ),
    max_size=6,
)


def seen(*parts: Any, shape: tuple[int, ...] = (3,)) -> RunningNormalisation:
    normalisation = RunningNormalisation(shape)
    for part in parts:
        normalisation.update(part)
    return normalisation


@given(batches)
def test_batches_agree_with_all_rows_at_once(parts: list[Batch]) -> None:
    normalisation = seen(*parts)
    rows = np.concatenate([np.empty((0, 3)), *parts])
    assert normalisation.count == len(rows)
    if len(rows):
        np.testing.assert_allclose(normalisation.mean, rows.mean(axis=0), rtol=1e-9, atol=1e-6)
        np.testing.assert_allclose(normalisation.variance, rows.var(axis=0), rtol=1e-7, atol=1e-3)
        expected = (rows - rows.mean(axis=0)) / np.sqrt(normalisation.variance + 1e-8)
        np.testing.assert_allclose(
            normalisation.normalise(rows), np.clip(expected, -10, 10), rtol=1e-6, atol=1e-2
        )


def test_a_large_offset_does_not_swallow_the_variance() -> None:
    rows = 1e8 + np.random.default_rng(0).standard_normal((5_000, 3))
    normalisation = seen(*np.split(rows, 50))
    np.testing.assert_allclose(normalisation.variance, rows.var(axis=0), rtol=1e-6)


def test_leading_axes_and_shapes() -> None:
    rows = np.random.default_rng(0).standard_normal((4, 5, 2, 3))
    normalisation = seen(rows, shape=(2, 3))
    assert normalisation.count == 20
    np.testing.assert_allclose(normalisation.mean, rows.mean(axis=(0, 1)))
    assert normalisation.normalise(rows[0, 0]).shape == (2, 3)
    scalar = seen([1.0, 2.0, 3.0], shape=())
    assert (scalar.count, float(scalar.mean)) == (3, 2.0)
    assert scalar.normalise(2.0) == 0.0
    assert seen(np.array([1.0, 2.0, 3.0])).count == 1


def test_before_the_first_row_values_pass_through_clipped() -> None:
    normalisation = seen(np.empty((0, 3)))
    assert normalisation.count == 0
    assert normalisation.normalise([1.0, -2.0, 50.0]) == pytest.approx([1.0, -2.0, 10.0])
    assert normalisation.variance.tolist() == [1.0, 1.0, 1.0]


def test_a_constant_feature_comes_out_as_zero_and_stays_finite() -> None:
    normalisation = seen(np.full((10, 3), 7.0))
    assert normalisation.normalise([7.0, 7.0, 8.0]).tolist() == [0.0, 0.0, 10.0]


def test_rows_that_are_not_finite_are_left_out() -> None:
    good = np.arange(6.0).reshape(2, 3)
    bad = np.array([[math.nan, 1.0, 1.0], [1.0, math.inf, 1.0], [1.0, 1.0, -1e300]])
    normalisation = seen(np.concatenate([bad[:1], good, bad[1:]]), bad)
    assert normalisation.count == 2
    assert normalisation.mean.tolist() == good.mean(axis=0).tolist()


def test_normalising_clips_infinities_and_keeps_nan() -> None:
    out = seen(np.random.default_rng(0).standard_normal((9, 3))).normalise(
        [math.nan, math.inf, -math.inf]
    )
    assert math.isnan(out[0])
    assert out[1:].tolist() == [10.0, -10.0]


@pytest.mark.parametrize(
    ("given_type", "expected"),
    [(np.float32, np.float32), (np.float64, np.float64), (np.uint8, np.float64)],
)
def test_types(given_type: type[np.generic], expected: type[np.generic]) -> None:
    normalisation = seen(np.arange(9).reshape(3, 3))
    assert normalisation.normalise(np.zeros(3, dtype=given_type)).dtype == expected


def test_frozen_it_ignores_updates() -> None:
    normalisation = seen(np.ones((2, 3)))
    normalisation.freeze()
    normalisation.update(np.zeros((5, 3)))
    assert (normalisation.count, normalisation.is_frozen) == (2, True)
    normalisation.unfreeze()
    normalisation.update(np.zeros((5, 3)))
    assert (normalisation.count, normalisation.is_frozen) == (7, False)


def test_its_state_goes_to_another_and_is_a_copy() -> None:
    rows = np.random.default_rng(0).standard_normal((9, 3))
    first = seen(rows[:4])
    state = first.state_dict()
    assert all(isinstance(array, np.ndarray) for array in state.values())
    second = RunningNormalisation((3,))
    second.load_state_dict(state)
    first.update(rows[4:])
    second.update(rows[4:])
    assert first.normalise(rows).tolist() == second.normalise(rows).tolist()
    assert state["count"] == 4
    first.mean[:] = 99.0
    assert first.mean.tolist() == second.mean.tolist()


@pytest.mark.parametrize(
    "damage",
    [
        {"mean": np.zeros(2)},
        {"squares": np.zeros((1, 3))},
        {"count": -1},
        {"mean": np.full(3, math.nan)},
        {"squares": np.full(3, -1.0)},
        {"squares": np.full(3, math.inf)},
        {"count": "many"},
        {"mean": ["x", "y", "z"]},
    ],
)
def test_a_damaged_state_is_refused_and_changes_nothing(damage: dict[str, Any]) -> None:
    normalisation = seen(np.eye(3))
    with pytest.raises(CheckpointCorruptError):
        normalisation.load_state_dict({**normalisation.state_dict(), **damage})
    with pytest.raises(CheckpointCorruptError, match="count"):
        normalisation.load_state_dict({})
    assert normalisation.count == 3


@pytest.mark.parametrize("shape", [(2,), (3, 1), ()])
def test_observations_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ContractViolationError, match="do not end in"):
        seen(np.zeros(shape))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"clip": 0.0}, "clip .* got 0.0"),
        ({"clip": math.nan}, "clip .* got nan"),
        ({"epsilon": -1.0}, "epsilon .* got -1.0"),
        ({"shape": (-1,)}, r"shape .* got \(-1,\)"),
    ],
)
def test_settings_out_of_range_are_refused(given: dict[str, Any], message: str) -> None:
    settings: dict[str, Any] = {"shape": (3,), **given}
    with pytest.raises(ConfigurationError, match=message):
        RunningNormalisation(**settings)
