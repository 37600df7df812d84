"""The thread that reads a live source, opens lost connections again, and fills the buffer."""

import asyncio
import inspect
import logging
import threading
from collections.abc import AsyncIterable, Callable, Iterable
from typing import Any, final

import numpy as np

from optix_core.data_source import DataSource, Replayable, TakesActions
from optix_core.environment import Closeable
from optix_core.errors import PipelineError, StreamClosedError
from optix_pipelines.live.async_pump import AsyncPump
from optix_pipelines.live.live_buffer import LiveBuffer
from optix_pipelines.live.live_item import ItemCheck, LiveItem, MalformedItemError
from optix_pipelines.live.reconnect_policy import ReconnectPolicy

logger = logging.getLogger(__name__)

JOIN_S = 1.0
"""How long a source may take to end when it was told to."""
LEEWAY_S = 0.1
"""How long a thread may take to end when it has nothing left to do."""
N_CLOSES = 20
"""How often it is told."""
SEND_S = 1.0
"""How long an asynchronous `send` may take."""


@final
class StreamReader:
    """Reads one source from `start` to `stop`, once.

    A connection ends when the source's stream does, or raises. It is opened again as the policy
    says; a `Replayable` source then goes on with the item that is missing, for any other one a
    gap is marked. An item that is malformed, `StreamClosedError`, and too many failures are the
    end, which the buffer hands on.

    Args of the constructor:
        source: what is read.
        buffer: where its items go.
        policy: when to open a connection again.
        rng: what jitter is drawn from.
        timer: seconds that never run backwards.
        offset: number of the item to begin with.
    """

    def __init__(
        self,
        source: DataSource,
        buffer: LiveBuffer,
        *,
        policy: ReconnectPolicy,
        rng: np.random.Generator,
        timer: Callable[[], float],
        offset: int,
    ) -> None:
        self._source = source
        self._name = type(source).__name__
        self._buffer = buffer
        self._policy = policy
        self._rng = rng
        self._timer = timer
        self._next_offset = offset
        self._connection = 0
        self._warned_of = 0
        self._check = ItemCheck(self._name)
        self._pump = AsyncPump(f"loop of {self._name}")
        self._is_stopping = threading.Event()
        self._has_ended = threading.Event()
        self._reading = threading.Thread(target=self._run, name=f"read {self._name}", daemon=True)
        self._closing = threading.Thread(
            target=self._close_source, name=f"close {self._name}", daemon=True
        )
        self._stop_lock = threading.RLock()

    def start(self) -> None:
        """Begin to read."""
        self._reading.start()

    def stop(self) -> None:
        """Have reading end, however silent the source; returns at once, and may be called again."""
        with self._stop_lock:
            if self._is_stopping.is_set():
                return
            self._is_stopping.set()
        self._buffer.stop()
        self._pump.cancel()
        self._closing.start()

    def join(self) -> None:
        """Wait until reading has ended after `stop`; a source that does not let it is named."""
        self._has_ended.wait(JOIN_S)
        for thread in (self._reading, self._closing):
            thread.join(LEEWAY_S)
        if self._reading.is_alive() or self._closing.is_alive():
            logger.warning(
                "%s does not end within %.0f s of close(): its thread is left to itself; give "
                "the source a close() that makes a waiting stream() end",
                self._name,
                JOIN_S,
            )

    def send(self, action: Any, connection: int) -> bool:
        """Hand an action to a source that takes it; whether none was lost.

        An action for an item of a connection that is lost goes nowhere.

        Raises:
            PipelineError: if the source raises anything but an OSError.
        """
        if not isinstance(self._source, TakesActions):
            return True
        if connection != self._connection:
            return False
        try:
            result = self._source.send(action)
            if inspect.isawaitable(result):
                self._pump.hand_over(result, SEND_S)
        except OSError as error:
            if connection != self._warned_of:
                self._warned_of = connection
                logger.warning("actions do not reach %s: %r", self._name, error)
            return False
        except Exception as error:
            raise PipelineError(f"send of {self._name} raised {error!r}") from error
        return True

    def _run(self) -> None:
        try:
            self._read_connections()
        except PipelineError as error:
            self._buffer.end(error)
        except BaseException as error:  # noqa: BLE001 - the consumer raises it
            ending = PipelineError(f"reading {self._name} ended by {error!r}")
            ending.__cause__ = error
            self._buffer.end(ending)
        finally:
            self._close_pump()
            self._has_ended.set()

    def _read_connections(self) -> None:
        failures: tuple[float, ...] = ()
        while not self._is_stopping.is_set():
            cause = self._read_connection()
            if self._is_stopping.is_set():
                return
            failures, delay = self._policy.after_failure(
                failures, self._timer(), self._rng.random()
            )
            if delay is None:
                raise self._given_up(cause) from cause
            logger.warning("%s: %s; opened again in %.2f s", self._name, cause, delay)
            if not isinstance(self._source, Replayable):
                self._buffer.mark_gap()
            self._is_stopping.wait(delay)

    def _read_connection(self) -> Exception:
        """Read until the connection is lost; returns how it was."""
        self._connection += 1
        try:
            if isinstance(self._source, Replayable):
                self._source.seek(self._next_offset)
            stream = self._source.stream()
            if isinstance(stream, AsyncIterable):
                self._pump.read(stream, self._accept_later)
            else:
                self._read(stream)
        except (MalformedItemError, StreamClosedError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever a user's source raises
            return error
        return StreamClosedError(f"the stream of {self._name} ended")

    def _read(self, stream: Iterable[Any]) -> None:
        items = iter(stream)
        try:
            for value in items:
                item = self._checked(value)
                if not self._buffer.put(item):
                    return
                self._next_offset += 1
        finally:
            if isinstance(items, Closeable):
                items.close()

    async def _accept_later(self, value: Any) -> bool:
        item = self._checked(value)
        is_kept = self._buffer.put_now(item)
        if is_kept is None:
            # Waiting for room must not keep the source's own tasks (a heartbeat, say) from running.
            is_kept = await asyncio.to_thread(self._buffer.put, item)
        self._next_offset += is_kept
        return is_kept

    def _checked(self, value: Any) -> LiveItem:
        return self._check(value, self._next_offset, self._connection)

    def _given_up(self, cause: Exception) -> PipelineError:
        policy = self._policy
        kind = StreamClosedError if isinstance(cause, StreamClosedError) else PipelineError
        times = "once" if policy.max_failures == 1 else f"{policy.max_failures} times"
        return kind(
            f"{self._name} failed {times} within {policy.period_s:g} s and is given up, after "
            f"{self._next_offset} items; the last time: {cause!r}"
        )

    def _close_source(self) -> None:
        source = self._source
        if not isinstance(source, Closeable) or inspect.iscoroutinefunction(source.close):
            return
        # Again and again, since one call may come while a connection is just being opened.
        for _ in range(N_CLOSES):
            try:
                source.close()
            except Exception:
                logger.exception("close of %s raised", self._name)
                return
            if self._has_ended.wait(JOIN_S / N_CLOSES):
                return

    def _close_pump(self) -> None:
        source: object = self._source
        last_call = None
        if isinstance(source, Closeable) and inspect.iscoroutinefunction(source.close):
            last_call = source.close
        try:
            self._pump.close(last_call)
        except Exception:
            logger.exception("close of %s raised", self._name)
