"""Asynchronous sources run on a loop of their own, in a thread of ours."""

import asyncio
import threading
from collections.abc import AsyncIterator
from itertools import islice
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_equal

from optix_core.errors import PipelineError, StreamClosedError
from optix_core.testing import FakeAgent
from optix_pipelines import LivePipeline, ReconnectPolicy

from .sources import AsyncSource, item


def test_items_arrive_and_actions_go_back() -> None:
    released = threading.Event()

    async def wait() -> None:
        await asyncio.to_thread(released.wait)
        raise StreamClosedError("over")

    source = AsyncSource(50, wait)
    pipeline = LivePipeline(source, FakeAgent(), every_n_steps=10, buffer_size=4)
    windows = list(islice(pipeline.episodes(), 5))
    released.set()
    with pytest.raises(StreamClosedError):
        next(pipeline.episodes())
    pipeline.teardown()
    assert_equal(np.concatenate([window.rewards for window in windows]), range(50))
    assert source.actions == [int(a) for window in windows for a in window.actions]
    assert sum(window.metadata["actions_unsent"] for window in windows) == 0
    assert source.is_closed


def test_a_source_that_waits_is_cancelled() -> None:
    waiting = threading.Event()

    async def wait() -> None:
        waiting.set()
        await asyncio.Event().wait()

    source = AsyncSource(1, wait)
    pipeline = LivePipeline(source, FakeAgent(), every_n_steps=1)
    next(pipeline.episodes())
    assert waiting.wait(10.0)
    pipeline.teardown()
    assert source.was_ended
    assert source.is_closed
    assert not [thread for thread in threading.enumerate() if thread.name.endswith("AsyncSource")]


def test_a_full_buffer_keeps_the_sources_own_tasks_running() -> None:
    beats = threading.Semaphore(0)

    class Beating:
        async def beat(self) -> None:
            while True:
                beats.release()
                await asyncio.sleep(0)

        async def stream(self) -> AsyncIterator[Any]:
            heart = asyncio.create_task(self.beat())
            try:
                for number in range(100):
                    yield item(number)
            finally:
                heart.cancel()

    class Slow(FakeAgent):
        def act(self, observation: Any) -> Any:
            assert beats.acquire(timeout=10.0)
            return 0

    pipeline = LivePipeline(Beating(), Slow(), every_n_steps=100, buffer_size=2)
    window = next(pipeline.episodes())
    pipeline.teardown()
    assert_equal(window.rewards, range(100))


def test_a_lost_connection_is_opened_again() -> None:
    class Flaky:
        def __init__(self) -> None:
            self.opened = 0

        async def stream(self) -> AsyncIterator[Any]:
            self.opened += 1
            yield item(self.opened)
            await asyncio.sleep(0)
            if self.opened == 3:
                raise StreamClosedError("over")
            raise ConnectionResetError("flaky")

    policy = ReconnectPolicy(first_delay_s=1e-6, max_delay_s=1e-6)
    pipeline = LivePipeline(Flaky(), FakeAgent(), every_n_steps=3, reconnect=policy)
    window = next(pipeline.episodes())
    pipeline.teardown()
    assert_equal(window.rewards, [1, 2, 3])
    assert_equal(window.truncated, [True, True, False])


def test_an_action_that_takes_too_long_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("optix_pipelines.live.stream_reader.SEND_S", 0.01)

    class Busy(AsyncSource):
        async def send(self, action: Any) -> None:
            await asyncio.Event().wait()

    async def wait() -> None:
        await asyncio.Event().wait()

    pipeline = LivePipeline(Busy(2, wait), FakeAgent(), every_n_steps=2)
    window = next(pipeline.episodes())
    pipeline.teardown()
    assert window.metadata["actions_unsent"] == 2


def test_an_action_without_a_stream_is_let_go() -> None:
    read_on = threading.Event()

    class Gone(AsyncSource):
        async def stream(self) -> AsyncIterator[Any]:
            yield item(0)
            read_on.set()
            raise StreamClosedError("over")

    class Late(FakeAgent):
        def act(self, observation: Any) -> Any:
            assert read_on.wait(10.0)
            for thread in threading.enumerate():
                if thread.name == "read Gone":
                    thread.join(10.0)
            return 0

    pipeline = LivePipeline(Gone(1), Late())
    window = next(pipeline.episodes())
    pipeline.teardown()
    assert window.metadata["actions_unsent"] == 1


def test_a_malformed_item_is_an_error() -> None:
    class Wrong:
        async def stream(self) -> AsyncIterator[Any]:
            yield item(0)
            yield (1, 2)

    pipeline = LivePipeline(Wrong(), FakeAgent(), every_n_steps=1)
    next(pipeline.episodes())
    with pytest.raises(PipelineError, match="item 1 of Wrong"):
        next(pipeline.episodes())
    pipeline.teardown()
