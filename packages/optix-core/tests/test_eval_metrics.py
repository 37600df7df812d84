"""Scores: what counts as one, and which is better."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optix_core import EvalMetrics
from optix_core.errors import ContractViolationError


@pytest.mark.parametrize("score", [1, 1.5, np.float32(1.5), np.int64(3), np.array(2.0)])
def test_numbers_of_any_library_become_floats(score: Any) -> None:
    assert type(EvalMetrics(score).primary_score) is float


@pytest.mark.parametrize("score", [None, "1.0", np.array([1.0]), True, [1.0], 1j])
def test_what_is_no_number_is_refused_with_its_value(score: Any) -> None:
    with pytest.raises(ContractViolationError, match="primary_score must be a real number"):
        EvalMetrics(score)


def test_evidence_is_read_from_the_metrics() -> None:
    measured: dict[str, Any] = {"n_episodes": np.int64(4), "score_se": 0.5}
    metrics = EvalMetrics(1.0, measured)
    assert (metrics.n_episodes, metrics.score_se, metrics.has_evidence) == (4, 0.5, True)
    assert not EvalMetrics(1.0).has_evidence
    assert EvalMetrics(1.0).generalization_gap is None
    assert EvalMetrics(1.0, {"generalization_gap": 2}).generalization_gap == 2.0


@given(st.floats(), st.floats(), st.floats(0, 10))
def test_beats_is_a_strict_order_that_nan_never_wins(a: float, b: float, margin: float) -> None:
    first, second = EvalMetrics(a), EvalMetrics(b)
    assert not (first.beats(second, margin) and second.beats(first, margin))
    if not math.isfinite(a):
        assert not first.beats(second, margin)
    elif math.isfinite(b):
        assert first.beats(second, margin) == (a > b + margin)
    else:
        assert first.beats(second, margin)
