"""Scales: they can be turned round, moves keep type and domain, draws lie where they should."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from optix_core.domain import Domain
from optix_core.domain_arithmetic import clip
from optix_core.domain_inference import infer_domain
from optix_core.domain_scale import Scale, ScaleKind, draw, multiply, scale_of

RATE = Domain(low=1e-6, high=1e-1, log=True)
SHARE = Domain(low=0.0, high=1.0)
DISCOUNT = Domain(low=0.5, high=0.9999)
COUNT = Domain(low=1, high=64, integer=True)

bounds = st.tuples(st.floats(-100, 100), st.floats(-100, 100)).map(sorted)


@st.composite
def valued_domains(draw_from: st.DrawFn) -> tuple[Domain, Any]:
    """A declared or inferred domain, and a value in it."""
    kind = draw_from(st.sampled_from(["inferred", "declared", "log", "count", "share"]))
    if kind == "inferred":
        value = draw_from(st.floats(-1e6, 1e6) | st.integers(-1000, 1000) | st.floats(1e-6, 1.0))
        domain = infer_domain(value)
        assert domain is not None
        return domain, value
    if kind == "declared":
        low, high = draw_from(bounds)
        return Domain(low=low, high=high), draw_from(st.floats(low, high))
    if kind == "log":
        return RATE, draw_from(st.floats(1e-6, 1e-1))
    if kind == "count":
        return COUNT, draw_from(st.integers(1, 64))
    return SHARE, draw_from(st.floats(0.0, 1.0))


@pytest.mark.parametrize(
    ("domain", "value", "kind"),
    [
        (RATE, 0.05, ScaleKind.LOG),
        (Domain(low=0.0, high=0.1), 0.0, ScaleKind.LOG),
        (Domain(low=0.05, high=0.5), 0.2, ScaleKind.LOGIT),
        (DISCOUNT, 0.99, ScaleKind.COMPLEMENT),
        (SHARE, 1.0, ScaleKind.COMPLEMENT),
        (COUNT, 8, ScaleKind.LOG),
        (Domain(low=-1.0, high=1.0), 0.3, ScaleKind.SIGNED),
        (infer_domain(0.99), 0.99, ScaleKind.COMPLEMENT),
        (infer_domain(3e-4), 3e-4, ScaleKind.LOG),
        (infer_domain(-2.0), -2.0, ScaleKind.SIGNED),
    ],
)
def test_domain_and_value_choose_the_scale(domain: Domain, value: float, kind: ScaleKind) -> None:
    assert scale_of(domain, value).kind is kind


@given(st.sampled_from(ScaleKind), st.sampled_from([0.0, 1e-5, 1e-3]), st.floats(0.002, 0.998))
def test_forward_and_backward_undo_each_other(kind: ScaleKind, offset: float, theta: float) -> None:
    scale = Scale(kind, offset)
    assert scale.backward(scale.forward(theta)) == pytest.approx(theta, rel=1e-9)


@given(st.sampled_from(ScaleKind), st.floats(0.002, 0.99), st.floats(1e-6, 5e-3))
def test_every_scale_rises(kind: ScaleKind, theta: float, more: float) -> None:
    scale = Scale(kind)
    assert scale.forward(theta + more) > scale.forward(theta)


@given(st.sampled_from(ScaleKind), st.floats(allow_nan=False))
def test_any_place_on_a_scale_is_a_number(kind: ScaleKind, z: float) -> None:
    assert math.isfinite(Scale(kind).backward(z))


@given(valued_domains(), st.integers(0, 2**32))
def test_draws_keep_type_and_domain(valued: tuple[Domain, Any], seed: int) -> None:
    domain, value = valued
    changed = draw(domain, value, np.random.default_rng(seed))
    assert type(changed) is type(value)
    assert math.isfinite(changed)
    assert clip(domain, float(changed)) == float(changed)


@given(valued_domains(), st.floats(1.01, 10.0))
@example((Domain(low=5e-324, high=1.0, log=True), 2.2250738585072014e-308), 2.0)
def test_a_move_keeps_type_and_domain_and_its_direction(
    valued: tuple[Domain, Any], factor: float
) -> None:
    domain, value = valued
    up, down = multiply(domain, value, factor), multiply(domain, value, 1.0 / factor)
    assert type(up) is type(down) is type(value)
    assert down <= value <= up
    for moved in (up, down):
        assert clip(domain, float(moved)) == float(moved)
    assert multiply(domain, value, 1.0) == value


def test_a_rate_is_multiplied_and_the_distance_of_a_discount_divided() -> None:
    assert multiply(RATE, 1e-3, 3.0) == pytest.approx(3e-3)
    assert 1.0 - multiply(DISCOUNT, 0.97, 3.0) == pytest.approx(0.01)
    assert multiply(SHARE, 0.2, 3.0) == pytest.approx(3.0 / 7.0)  # the odds, from 1:4 to 3:4


def test_a_bound_stops_a_move_and_a_whole_number_moves_by_one_at_least() -> None:
    assert multiply(RATE, 0.1, 3.0) == 0.1
    assert multiply(COUNT, 1, 1.1) == 2
    assert multiply(COUNT, 1, 1.0 / 1.1) == 1
    assert multiply(COUNT, 20, 3.0) == 60


def test_a_zero_that_its_domain_includes_can_be_left_and_come_back_to() -> None:
    domain = Domain(low=0.0, high=0.1)
    assert multiply(domain, 0.0, 3.0) == pytest.approx(2e-5)
    assert multiply(domain, 2e-5, 1.0 / 3.0) == pytest.approx(0.0, abs=1e-12)


def test_a_draw_between_bounds_forgets_the_value_and_prefers_the_middle_of_the_scale() -> None:
    rng = np.random.default_rng(0)
    drawn = np.log10([draw(RATE, 1e-6, rng) for _ in range(5000)])
    counts, _ = np.histogram(drawn, bins=5, range=(-6.0, -1.0))
    # The mean of two uniform draws has a density like a tent.
    assert counts / 5000 == pytest.approx([0.08, 0.24, 0.36, 0.24, 0.08], abs=0.02)


def test_a_draw_without_bounds_lies_round_the_value() -> None:
    rng = np.random.default_rng(0)
    domain = infer_domain(1e-3)
    assert domain is not None
    decades = np.log10([draw(domain, 1e-3, rng) for _ in range(2000)])
    assert np.mean(decades) == pytest.approx(-3.0, abs=0.1)
    assert np.std(decades) == pytest.approx(0.9, rel=0.1)
