"""Consumers of a live feed that are killed and go on from their last state (S09)."""

import json
import logging
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from optix_core.testing import FakeAgent
from optix_pipelines import LivePipeline

from .live_scene import PATIENT, FeedProcess, numbers, source_of

WINDOW = 20


def kill_consumers(n_kills: int, seed: int) -> None:
    """Fork consumers and kill each at a random time; no item is missing from their windows."""
    rng = np.random.default_rng(seed)
    with FeedProcess(kind="robot") as feed, tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "windows"
        log.touch()
        for _ in range(n_kills):
            n_before = log.stat().st_size
            child = os.fork()
            if child == 0:
                consume(feed.port, log)
            while log.stat().st_size == n_before:  # it has come further
                time.sleep(0.001)
            time.sleep(float(rng.uniform(0.0, 0.01)))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        windows = [json.loads(line) for line in whole_lines(log)]
        came = [number for window in windows for number in window["numbers"]]
        assert came == list(range(len(came))), "an item is missing, or came twice"
        assert len(windows) >= n_kills
        sys.stdout.write(f"{n_kills} kills, {len(windows)} windows, {len(came)} items\n")


def consume(port: int, log: Path) -> None:
    """Go on behind the last window of the log, and append each new one with the state after it."""
    pipeline = LivePipeline(source_of("tcp", port), FakeAgent(), every_n_steps=WINDOW)
    lines = whole_lines(log)
    os.truncate(log, sum(len(line) + 1 for line in lines))
    if lines:
        pipeline.load_state_dict(json.loads(lines[-1])["state"])
    with log.open("ab", buffering=0) as file:
        for window in pipeline.episodes():
            line = {"numbers": numbers([window]), "state": pipeline.state_dict()}
            file.write(json.dumps(line).encode() + b"\n")


class Sought:
    """Counts how often the feed is asked to go back: once a connection."""

    def __init__(self, source: Any) -> None:
        self._source = source
        self.times = 0

    def seek(self, offset: int) -> None:
        self.times += 1
        self._source.seek(offset)

    def stream(self) -> Any:
        return self._source.stream()

    def close(self) -> None:
        self._source.close()


def kill_feeds(n_kills: int, seed: int) -> None:
    """Kill the feed and start it again, over and over; every item comes once, in order."""
    rng = np.random.default_rng(seed)
    with FeedProcess(kind="market", pause_s=0.0002) as feed:
        source = Sought(source_of("tcp", feed.port))
        pipeline = LivePipeline(source, FakeAgent(), every_n_steps=WINDOW, reconnect=PATIENT)
        windows = pipeline.episodes()
        expected = 0
        for _ in range(n_kills):
            n_connections = source.times
            for _ in range(int(rng.integers(1, 20))):
                window = next(windows)
                assert numbers([window]) == list(range(expected, expected + WINDOW))
                assert not window.metadata["gaps"]
                expected += WINDOW
            feed.kill()
            feed.restart()
            while source.times == n_connections:  # the buffers are empty: the loss was noticed
                assert numbers([next(windows)]) == list(range(expected, expected + WINDOW))
                expected += WINDOW
        pipeline.teardown()
        assert source.times > n_kills
    sys.stdout.write(f"{n_kills} kills, {expected} items\n")


def whole_lines(log: Path) -> list[bytes]:
    """The lines that were written to their end."""
    return log.read_bytes().split(b"\n")[:-1]


if __name__ == "__main__":
    logging.disable()  # every lost connection is a warning, and we lose them on purpose
    {"kill_consumers": kill_consumers, "kill_feeds": kill_feeds}[sys.argv[1]](
        int(sys.argv[2]), int(sys.argv[3])
    )
