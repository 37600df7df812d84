"""Runs asynchronous streams on an event loop of their own, in a thread of its own."""

import asyncio
import concurrent.futures
import threading
from collections.abc import AsyncIterable, Awaitable, Callable, Coroutine
from contextlib import aclosing
from typing import Any, Protocol, cast, final, runtime_checkable

from optix_core.errors import PipelineError

Accept = Callable[[Any], Coroutine[Any, Any, bool]]


@runtime_checkable
class _ClosesLater(Protocol):
    def aclose(self) -> Awaitable[Any]: ...


@final
class AsyncPump:
    """One event loop for all connections of a source, made when it is first needed.

    It runs between connections too, so that whatever is handed to it is run or cancelled.
    `read` and `close` are for the reading thread; `cancel` and `hand_over` for any other.

    Args of the constructor:
        name: of the loop's thread.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.RLock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._reading: concurrent.futures.Future[None] | None = None
        self._is_cancelled = False

    def read(self, stream: AsyncIterable[Any], accept: Accept) -> None:
        """Hand every item to `accept`, until the stream ends, `accept` refuses, or `cancel`."""
        with self._lock:
            if self._is_cancelled:
                return
            reading = asyncio.run_coroutine_threadsafe(_read(stream, accept), self._running())
            self._reading = reading
        try:
            reading.result()
        except concurrent.futures.CancelledError:
            if not self._is_cancelled:
                raise PipelineError("the stream was cancelled") from None

    def cancel(self) -> None:
        """Make `read` return, now and ever after."""
        with self._lock:
            self._is_cancelled = True
            if self._reading is not None:
                self._reading.cancel()

    def hand_over(self, awaitable: Awaitable[Any], timeout_s: float) -> None:
        """Await something on the loop of the stream.

        Raises:
            ConnectionError: if there is no loop, or it was closed meanwhile.
            TimeoutError: if it took longer.
        """
        work = _as_coroutine(awaitable)
        with self._lock:
            if self._loop is None:
                work.close()
                raise ConnectionError("no stream is open")
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            future.result(timeout_s)
        except concurrent.futures.CancelledError as error:
            raise ConnectionError("the stream was closed") from error
        finally:
            future.cancel()

    def close(self, last_call: Callable[[], Awaitable[Any]] | None = None) -> None:
        """Cancel what still runs, await a last call where there is one, and end the thread."""
        with self._lock:
            if last_call is not None:
                self._running()
            loop, self._loop = self._loop, None
            thread, self._thread = self._thread, None
        if loop is None or thread is None:
            return
        try:
            asyncio.run_coroutine_threadsafe(_wind_up(last_call), loop).result()
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    def _running(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(
                target=self._loop.run_forever, name=self._name, daemon=True
            )
            self._thread.start()
        return self._loop


async def _read(stream: AsyncIterable[Any], accept: Accept) -> None:
    if isinstance(stream, _ClosesLater):
        async with aclosing(stream):
            await _pass_on(stream, accept)
    else:
        await _pass_on(stream, accept)


async def _pass_on(stream: AsyncIterable[Any], accept: Accept) -> None:
    async for item in stream:
        if not await accept(item):
            return


async def _wind_up(last_call: Callable[[], Awaitable[Any]] | None) -> None:
    # A stream that was cancelled may still be closing its connection, with the help of other tasks.
    closing = [task for task in _others() if task.cancelling()]
    await asyncio.gather(*closing, return_exceptions=True)
    rest = _others()
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
    try:
        if last_call is not None:
            await last_call()
    finally:
        loop = asyncio.get_running_loop()
        await loop.shutdown_asyncgens()
        await loop.shutdown_default_executor()


def _others() -> set[asyncio.Task[Any]]:
    return {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}


def _as_coroutine(awaitable: Awaitable[Any]) -> Coroutine[Any, Any, Any]:
    if isinstance(awaitable, Coroutine):
        return cast("Coroutine[Any, Any, Any]", awaitable)

    async def wait() -> Any:
        return await awaitable

    return wait()
