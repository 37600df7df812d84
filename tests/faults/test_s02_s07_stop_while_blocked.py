"""S02, S07: stop() and teardown() return however silent or full it is, and leave no thread."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from optix_core import EpisodeData, RLOptimizer, StopReason
from optix_core.testing import FakeAgent
from optix_pipelines import LivePipeline

from .live_scene import FeedProcess, numbers, pipeline_over, source_of

CONSUMER_S = 1.0
TEARDOWN_S = 2.0


@pytest.mark.parametrize("transport", ["tcp", "websocket"])
@pytest.mark.parametrize("is_stalled", [False, True], ids=["silent", "stopped"])
def test_stop_while_the_source_says_nothing(transport: str, *, is_stalled: bool) -> None:
    with FeedProcess(transport=transport, silent_after=30) as feed:
        windows: list[EpisodeData] = []
        came = threading.Event()

        class Watcher(FakeAgent):
            def act(self, observation: Any) -> Any:
                if self.calls["act"] == 29:
                    came.set()
                return super().act(observation)

        with pipeline_over(source_of(transport, feed.port), every_n_steps=20) as pipeline:
            pipeline.set_agent(Watcher())
            consumer = threading.Thread(target=lambda: windows.extend(pipeline.episodes()))
            consumer.start()
            assert came.wait(30.0)
            if is_stalled:
                feed.stall()
            began = time.monotonic()
            pipeline.stop()
            consumer.join(30.0)
            consumer_s = time.monotonic() - began
            pipeline.teardown()
            teardown_s = time.monotonic() - began
        assert numbers(windows) == list(range(30))
        assert [window.partial for window in windows] == [False, True]
        assert consumer_s < CONSUMER_S
        assert teardown_s < TEARDOWN_S


@pytest.mark.parametrize("transport", ["tcp", "websocket"])
def test_stop_while_the_buffer_is_full(transport: str) -> None:
    with (
        FeedProcess(transport=transport) as feed,
        pipeline_over(source_of(transport, feed.port), every_n_steps=5, buffer_size=1) as pipeline,
    ):
        window = next(pipeline.episodes())
        began = time.monotonic()
        pipeline.teardown()
        assert time.monotonic() - began < TEARDOWN_S
        assert numbers([window]) == list(range(5))


def test_stop_of_a_run_that_waits(tmp_path: Path) -> None:
    with FeedProcess(silent_after=25) as feed:
        agent = FakeAgent()
        pipeline = LivePipeline(source_of("tcp", feed.port), every_n_steps=10)
        optimizer = RLOptimizer(agent, pipeline, checkpoint_dir=tmp_path)

        def stop() -> None:
            while agent.calls["act"] < 25:
                time.sleep(0.001)
            optimizer.stop()

        stopping = threading.Thread(target=stop)
        stopping.start()
        report = optimizer.run()
        stopping.join()
    assert report.stop_reason is StopReason.STOPPED
    assert (report.windows, report.steps) == (3, 25)
    assert agent.learned == [0, 1, 2]
    assert report.evaluations == 2  # of the part of a window none was made


def test_a_source_that_ignores_close_is_named_and_left(caplog: pytest.LogCaptureFixture) -> None:
    let_go = threading.Event()

    class Deaf:
        def stream(self) -> Any:
            yield [0.0], 0.0, False, False, {}
            let_go.wait()

        def close(self) -> None:
            pass

    pipeline = LivePipeline(Deaf(), FakeAgent(), every_n_steps=1)
    next(pipeline.episodes())
    began = time.monotonic()
    pipeline.teardown()
    assert time.monotonic() - began < TEARDOWN_S
    assert "Deaf does not end" in caplog.text
    let_go.set()
