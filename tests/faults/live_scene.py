"""What the live tests share: a feed that can be killed, sources that read it, and what came."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from optix_core import EpisodeData
from optix_core.errors import PipelineError
from optix_core.testing import FakeAgent
from optix_pipelines import LivePipeline, ReconnectPolicy

ROOT = Path(__file__).parents[2]
PATIENT = ReconnectPolicy(max_failures=10**6, first_delay_s=0.02, max_delay_s=0.1)
"""Opens a connection again however often it is lost."""
ONCE = ReconnectPolicy(max_failures=1)


def _example() -> Any:
    spec = importlib.util.spec_from_file_location("live_tcp", ROOT / "examples" / "live_tcp.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


JsonLinesSource: Any = _example().JsonLinesSource
"""The very source that the example shows."""


class FeedProcess:
    """A feed that runs; its port stays the same when it is restarted."""

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.port = 0
        self.restart()

    def restart(self, **options: Any) -> None:
        """Start it, anew and with other options where it ran before."""
        self.options |= options
        asked = json.dumps(self.options | {"port": self.port})
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.live_feed", asked],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def kill(self) -> None:
        """Kill -9."""
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def stall(self) -> None:
        """Stop it where it stands."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on after `stall`."""
        os.kill(self.process.pid, signal.SIGCONT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


class WebsocketSource:
    """Reads the feed over a websocket, asynchronously."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._offset = 0
        self._connection: ClientConnection | None = None

    def seek(self, offset: int) -> None:
        self._offset = offset

    async def stream(self) -> AsyncIterator[Any]:
        address = f"ws://127.0.0.1:{self._port}"
        async with connect(address, proxy=None, close_timeout=0.2) as connection:
            self._connection = connection
            await connection.send(json.dumps({"offset": self._offset}))
            async for message in connection:
                item = json.loads(message)
                yield (np.array(item[0]), *item[1:])

    async def send(self, action: Any) -> None:
        if self._connection is None:
            raise ConnectionError("not connected")
        try:
            await self._connection.send(json.dumps({"action": action}))
        except ConnectionClosed as error:
            raise ConnectionError(str(error)) from error


class NoWayBack:
    """A source without `seek`: what was sent while nobody read is lost."""

    def __init__(self, source: Any) -> None:
        self._source = source

    def stream(self) -> Any:
        return self._source.stream()

    def send(self, action: Any) -> Any:
        return self._source.send(action)

    def close(self) -> None:
        if isinstance(self._source, JsonLinesSource):
            self._source.close()


def source_of(transport: str, port: int) -> Any:
    """The source that reads this transport."""
    return JsonLinesSource("127.0.0.1", port) if transport == "tcp" else WebsocketSource(port)


def collect(source: Any, **settings: Any) -> tuple[list[EpisodeData], PipelineError]:
    """Collect until the error that ends it; no thread of ours is left behind."""
    with pipeline_over(source, **settings) as pipeline:
        windows: list[EpisodeData] = []
        try:
            windows.extend(pipeline.episodes())
        except PipelineError as error:
            return windows, error
        raise AssertionError("a stream that nobody stopped just ended")


@contextmanager
def pipeline_over(source: Any, **settings: Any) -> Generator[LivePipeline]:
    """A pipeline with an agent; checks at the end that none of our threads is left."""
    before = set(threading.enumerate())
    pipeline = LivePipeline(source, FakeAgent(), **settings)
    try:
        yield pipeline
    finally:
        pipeline.teardown()
    assert set(threading.enumerate()) <= before


def numbers(windows: list[EpisodeData]) -> list[int]:
    """The numbers of all items that came, in order."""
    return [int(info["number"]) for window in windows for info in window.infos]
