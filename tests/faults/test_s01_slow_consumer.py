"""S01: a consumer slower than its source loses, repeats and reorders nothing."""

import resource
import threading
import time
from itertools import count, islice
from typing import Any

import numpy as np
import pytest

from optix_core.testing import FakeAgent
from optix_pipelines import LivePipeline

from .live_scene import ONCE, FeedProcess, numbers, pipeline_over, source_of


@pytest.mark.parametrize("kind", ["market", "robot"])
@pytest.mark.parametrize("transport", ["tcp", "websocket"])
def test_a_slow_consumer_loses_nothing(transport: str, kind: str) -> None:
    with FeedProcess(kind=kind, transport=transport) as feed:
        # It is given up at the first loss of the connection: so it is opened once.
        source = source_of(transport, feed.port)
        settings = {"every_n_steps": 50, "buffer_size": 20, "reconnect": ONCE}
        with pipeline_over(source, **settings) as pipeline:
            windows = list(slowly(islice(pipeline.episodes(), 12)))
    assert numbers(windows) == list(range(600))
    assert not any(window.metadata["dropped"] for window in windows)


def slowly(windows: Any) -> Any:
    for window in windows:
        time.sleep(0.02)  # while the feed goes on, and fills the buffer of 20
        yield window


def test_a_declared_drop_policy_counts_every_item_it_drops() -> None:
    with FeedProcess(kind="market") as feed:
        source = source_of("tcp", feed.port)
        settings = {"every_n_steps": 50, "buffer_size": 20, "when_full": "drop_oldest"}
        with pipeline_over(source, **settings) as pipeline:
            windows = list(slowly(islice(pipeline.episodes(), 12)))
    came = numbers(windows)
    dropped = sum(window.metadata["dropped"] for window in windows)
    assert came == sorted(set(came))
    assert dropped == came[-1] + 1 - len(came) > 0


class Counting:
    """Hands over items as fast as they are taken."""

    def __init__(self) -> None:
        self.is_closed = threading.Event()

    def stream(self) -> Any:
        observation = np.zeros(4)
        for number in count():
            if self.is_closed.is_set():
                return
            observation[0] = number
            yield observation, float(number), False, False, {}

    def close(self) -> None:
        self.is_closed.set()


@pytest.mark.nightly
def test_a_million_items() -> None:
    """Nothing lost, repeated or reordered, in flat memory."""
    pipeline = LivePipeline(Counting(), FakeAgent(), every_n_steps=1000, buffer_size=20)
    expected, before_kb = 0, 0
    for window in islice(pipeline.episodes(), 1000):
        assert window.rewards[0] == expected
        assert (np.diff(window.rewards) == 1).all()
        assert (window.observations[:, 0] == window.rewards).all()
        expected += window.length
        if window.episode_id == 100:
            before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    pipeline.teardown()
    assert expected == 10**6
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 10_000


@pytest.mark.nightly
def test_a_million_items_over_tcp() -> None:
    with FeedProcess(kind="robot") as feed:
        source = source_of("tcp", feed.port)
        with pipeline_over(source, every_n_steps=1000, buffer_size=1000) as pipeline:
            expected = 0
            for window in islice(pipeline.episodes(), 1000):
                assert numbers([window]) == list(range(expected, expected + 1000))
                expected += 1000
    assert expected == 10**6
