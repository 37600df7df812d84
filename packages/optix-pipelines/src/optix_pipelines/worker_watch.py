"""Holds the worker processes of a vector environment to a time limit, and reaps them."""

import math
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from multiprocessing.connection import wait
from typing import Any, final

from gymnasium.vector import AsyncVectorEnv

from optix_core.errors import ConfigurationError, PipelineError, StreamTimeoutError

DEATH_S = 1.0
"""How long after its pipe broke a worker may take to be dead."""


@final
class WorkerWatch:
    """Watches the calls to an `AsyncVectorEnv`, itself or whatever wraps it.

    A thread of ours kills all workers when a call takes too long, whereupon the call returns with
    an error; this works through wrappers, which know no time-out. After a worker's death, from
    whichever cause, all workers are killed and reaped, and the environment counts as closed.

    Args of the constructor:
        env: whose workers they are.
        timeout_s: the longest that a call may take; None for no limit.
        timer: seconds that never run backwards.

    Raises:
        ConfigurationError: if timeout_s is not above 0.
    """

    def __init__(
        self,
        env: AsyncVectorEnv,
        timeout_s: float | None,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._env = env
        self._timeout_s = checked_timeout(timeout_s)
        self._timer = timer
        self._deadline = math.inf
        self._has_expired = False
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    @contextmanager
    def call(self) -> Generator[None]:
        """Watch one call that the workers answer.

        Raises:
            StreamTimeoutError: if they did not answer in time.
            PipelineError: if one of them died.
        """
        self._begin()
        try:
            yield
        except (EOFError, OSError) as error:
            fault = self._fault()
            if fault is None:
                raise
            self._reap()
            raise fault from error
        finally:
            self._deadline = math.inf

    def close(self) -> None:
        """End the thread."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _begin(self) -> None:
        if self._timeout_s is None:
            return
        if self._thread is None:
            self._closed.clear()
            self._thread = threading.Thread(target=self._watch, name="watch workers", daemon=True)
            self._thread.start()
        self._deadline = self._timer() + self._timeout_s

    def _watch(self) -> None:
        # It looks ten times a time-out, and acts at the last look before the deadline: that costs a
        # call no more than an assignment, where a timer of its own would cost a thread.
        look_s = (self._timeout_s or math.inf) / 10.0
        while not self._closed.wait(look_s):
            if self._timer() + look_s > self._deadline:
                self._has_expired = True
                self._kill()
                return

    def _fault(self) -> PipelineError | None:
        """Say which worker is at fault; None where the error is the environment's own."""
        name = type(self._env).__name__
        if self._has_expired:
            return StreamTimeoutError(
                f"the workers of {name} did not answer within {self._timeout_s:g} s and were "
                "killed; raise worker_timeout_s if a step or reset may take longer"
            )
        processes: list[Any] = self._env.processes
        dead = wait([process.sentinel for process in processes], DEATH_S)
        for process in processes:
            process.join(DEATH_S if process.sentinel in dead else 0.0)
        # A worker whose environment raised has handed the error over and ended with 0.
        died = {
            index: process.exitcode
            for index, process in enumerate(processes)
            if process.sentinel in dead and process.exitcode != 0
        }
        if not died:
            return None
        named = ", ".join(f"worker {index} (exit code {code})" for index, code in died.items())
        return PipelineError(
            f"{named} of {name} died; the other workers were ended. A negative code is the signal "
            "that killed it: -9 is often the kernel, out of memory"
        )

    def _kill(self) -> None:
        for process in self._env.processes:
            process.kill()

    def _reap(self) -> None:
        self._kill()
        for process in self._env.processes:
            process.join()
        pipes: list[Any] = self._env.parent_pipes  # None where a worker has raised
        for pipe in pipes:
            if pipe is not None:
                pipe.close()
        self._env.closed = True  # its own close() would wait for an answer from the dead


def checked_timeout(timeout_s: float | None) -> float | None:
    """Refuse a time limit that is not above 0; None is none."""
    if timeout_s is not None and not timeout_s > 0.0:
        raise ConfigurationError(f"worker_timeout_s must be above 0 or None, got {timeout_s!r}")
    return timeout_s
