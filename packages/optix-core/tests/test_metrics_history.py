"""The history of evaluations is bounded, and keeps its ends."""

from optix_core import EvalMetrics
from optix_core.metrics_history import CAPACITY, MetricsHistory


def test_history_is_thinned_by_two_and_keeps_first_and_last() -> None:
    history = MetricsHistory()
    for window in range(5 * CAPACITY):
        history.append(EvalMetrics(float(window), episode_id=window))
        assert len(history) <= CAPACITY
        assert history[-1].episode_id == window
    assert history[0].episode_id == 0
    assert history.total == 5 * CAPACITY
    windows = [metrics.episode_id for metrics in history]
    assert windows == sorted(set(windows))


def test_short_histories_are_whole() -> None:
    history = MetricsHistory()
    for window in range(10):
        history.append(EvalMetrics(float(window)))
    assert [metrics.primary_score for metrics in history[-3:]] == [7.0, 8.0, 9.0]
