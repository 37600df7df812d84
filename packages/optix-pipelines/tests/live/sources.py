"""Live sources that do as they are told."""

import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import numpy as np

from optix_core.errors import StreamClosedError

Item = tuple[Any, float, bool, bool, dict[str, Any]]


def item(number: int, *, terminated: bool = False, truncated: bool = False) -> Item:
    """The item of this number, told by observation and reward alike."""
    return np.array([number, -1.0]), float(number), terminated, truncated, {"number": number}


class Source:
    """Plays one script a connection; a script is items, and an exception where it raises one.

    Behind the last script it ends for good, or is silent until it is closed.
    """

    def __init__(self, *scripts: list[Any], then_ends: bool = True) -> None:
        self.scripts = list(scripts)
        self.then_ends = then_ends
        self.opened = 0
        self.closed = threading.Event()
        self.is_waiting = threading.Event()
        self.handed_over = 0

    def stream(self) -> Iterator[Any]:
        self.opened += 1
        for entry in self.scripts.pop(0) if self.scripts else []:
            if isinstance(entry, BaseException):
                raise entry
            if callable(entry):
                entry()
                continue
            self.handed_over += 1
            yield entry
        if not self.scripts:
            yield from self.end()

    def end(self) -> Iterator[Any]:
        if self.then_ends:
            raise StreamClosedError("the script is over")
        self.is_waiting.set()
        self.closed.wait()
        yield from ()

    def close(self) -> None:
        self.closed.set()


class Listener(Source):
    """A source that takes actions, and fails to on request."""

    def __init__(self, *scripts: list[Any], error: Exception | None = None) -> None:
        super().__init__(*scripts)
        self.error = error
        self.actions: list[Any] = []

    def send(self, action: Any) -> None:
        if self.error is not None:
            raise self.error
        self.actions.append(action)


class Log:
    """A source that can go back, and breaks off after some items of each connection."""

    def __init__(self, n_items: int, lengths: Iterator[int]) -> None:
        self.n_items = n_items
        self.lengths = lengths
        self.sought: list[int] = []

    def seek(self, offset: int) -> None:
        self.sought.append(offset)

    def stream(self) -> Iterator[Any]:
        first = self.sought[-1]
        for number in range(first, min(first + next(self.lengths), self.n_items)):
            yield item(number)
        if self.sought[-1] + 1 > self.n_items:
            raise StreamClosedError("all is told")


class AsyncSource:
    """Asynchronous, with a coroutine function to send and one to close."""

    def __init__(self, n_items: int, wait: Callable[[], Any] | None = None) -> None:
        self.n_items = n_items
        self.wait = wait
        self.actions: list[Any] = []
        self.is_closed = False
        self.was_ended = False

    async def stream(self) -> AsyncIterator[Any]:
        try:
            for number in range(self.n_items):
                yield item(number)
            if self.wait is None:
                raise StreamClosedError("the script is over")
            await self.wait()
        finally:
            self.was_ended = True

    async def send(self, action: Any) -> None:
        self.actions.append(action)

    async def close(self) -> None:
        self.is_closed = True
