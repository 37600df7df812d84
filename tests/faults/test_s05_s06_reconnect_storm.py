"""S05-S06: a source that is empty, or not there, is opened again ever later, and given up."""

import socket
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from optix_core.errors import PipelineError, StreamClosedError
from optix_pipelines import ReconnectPolicy

from .live_scene import FeedProcess, collect, source_of


class Openings:
    """A source that notes when it is opened."""

    def __init__(self, source: Any) -> None:
        self.source = source
        self.at: list[float] = []

    def stream(self) -> Iterator[Any]:
        self.at.append(time.monotonic())
        return self.source.stream()


def storm(source: Any, **policy: Any) -> tuple[list[float], PipelineError]:
    """When it was opened, in seconds from the first time, and how it ended."""
    openings = Openings(source)
    windows, error = collect(openings, every_n_steps=10, reconnect=ReconnectPolicy(**policy))
    assert windows == []
    return [at - openings.at[0] for at in openings.at], error


@pytest.mark.parametrize("transport", ["tcp", "websocket"])
def test_an_empty_source_is_given_up(transport: str) -> None:
    with FeedProcess(transport=transport, n_items=0) as feed:
        at, error = storm(source_of(transport, feed.port), first_delay_s=0.02)
    assert len(at) == 5
    assert isinstance(error, StreamClosedError)
    assert "failed 5 times within 60 s" in str(error)


@pytest.mark.parametrize("transport", ["tcp", "websocket"])
def test_a_source_that_is_not_there_is_given_up(transport: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    at, error = storm(source_of(transport, port), first_delay_s=0.02)
    assert len(at) == 5
    assert type(error) is PipelineError
    assert isinstance(error.__cause__, ConnectionRefusedError)


def test_waits_grow() -> None:
    with FeedProcess(n_items=0) as feed:
        at, _ = storm(source_of("tcp", feed.port), first_delay_s=0.05, jitter=0.0, max_delay_s=0.2)
    waits = [later - earlier for earlier, later in pairwise(at)]
    least = [0.05, 0.1, 0.2, 0.2]
    assert all(wait >= bound for wait, bound in zip(waits, least, strict=True))


@pytest.mark.slow
def test_the_default_policy_is_calm_and_gives_up() -> None:
    with FeedProcess(n_items=0) as feed:
        at, _ = storm(source_of("tcp", feed.port))
    assert sum(opened <= 2.0 for opened in at) <= 20
    assert at[-1] <= 25.0
