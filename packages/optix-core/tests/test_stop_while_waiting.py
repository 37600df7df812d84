"""stop() reaches a pipeline that waits for its next window."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from optix_core import BaseAgent, BasePipeline, EpisodeData, RLOptimizer, StopReason
from optix_core.testing import FakeAgent, ScriptedPipeline


class Waiting(BasePipeline):
    """Yields one window, then waits until it is stopped, and yields a last one."""

    def __init__(self, when_waiting: Callable[[], object]) -> None:
        self.windows = ScriptedPipeline([[1.0, 2.0], [3.0]])
        self.when_waiting = when_waiting
        self.stopped = threading.Event()

    def setup(self) -> None:
        self.stopped.clear()

    def episodes(self) -> Iterator[EpisodeData]:
        windows = self.windows.episodes()
        yield next(windows)
        self.when_waiting()
        assert self.stopped.wait(10.0)
        yield next(windows)

    def set_agent(self, agent: BaseAgent) -> None:
        self.windows.set_agent(agent)

    def stop(self) -> None:
        self.stopped.set()

    def teardown(self) -> None:
        pass


@pytest.mark.parametrize("from_thread", [True, False])
def test_stop_ends_the_wait(tmp_path: Path, *, from_thread: bool) -> None:
    def stop() -> None:
        if from_thread:
            threading.Thread(target=optimizer.stop).start()
        else:  # as a signal handler would, in the thread that waits
            optimizer.stop()

    agent = FakeAgent()
    optimizer = RLOptimizer(agent, Waiting(stop), checkpoint_dir=tmp_path)
    report = optimizer.run()
    assert report.stop_reason is StopReason.STOPPED
    assert report.detail == "stop() was called"
    assert agent.learned == [0, 1]
