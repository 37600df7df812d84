"""Score windows for property tests: usual, constant, tiny, huge, short, and broken."""

from collections.abc import Sequence

from hypothesis import strategies as st

from optix_core import EvalMetrics
from optix_core.eval_metrics import MetricValue

USUAL = st.floats(-1e6, 1e6, allow_subnormal=False)
ANY_SIZE = st.one_of(
    USUAL,
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0.0, 1e-300, -1e-300, 5e-324, 1e300, -1e300, 1.7e308, 1e12, 1e-170]),
)


def windows(
    scores: st.SearchStrategy[float] = USUAL, *, min_size: int = 0, max_size: int = 12
) -> st.SearchStrategy[list[float]]:
    """Lists of scores, constants among them."""
    constants = st.builds(_constant, scores, st.integers(min_size, max_size))
    return st.one_of(st.lists(scores, min_size=min_size, max_size=max_size), constants)


def pairs(
    scores: st.SearchStrategy[float] = USUAL, *, min_size: int = 0, max_size: int = 12
) -> st.SearchStrategy[tuple[list[float], list[float]]]:
    """Two windows of one length."""
    n = st.integers(min_size, max_size)
    return n.flatmap(
        lambda size: st.tuples(
            windows(scores, min_size=size, max_size=size),
            windows(scores, min_size=size, max_size=size),
        )
    )


def history(
    scores: Sequence[float],
    *,
    train: Sequence[float] | None = None,
    val: Sequence[float] | None = None,
    **metrics: float,
) -> list[EvalMetrics]:
    """Evaluations with these scores, and with training and validation scores if given."""
    evaluations: list[EvalMetrics] = []
    for i, score in enumerate(scores):
        extra: dict[str, MetricValue] = dict(metrics)
        if train is not None and val is not None:
            gap = train[i] - val[i]
            extra |= {"train_score": train[i], "val_score": val[i], "generalization_gap": gap}
        evaluations.append(EvalMetrics(score, extra, i))
    return evaluations


def _constant(score: float, n: int) -> list[float]:
    return [score] * n
