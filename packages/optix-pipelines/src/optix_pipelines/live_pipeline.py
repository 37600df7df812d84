"""Windows from a source that nobody can reset or repeat."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, final

import numpy as np

from optix_core.base_agent import BaseAgent
from optix_core.base_pipeline import BasePipeline
from optix_core.data_source import DataSource, Replayable
from optix_core.environment_pipeline import positive_int
from optix_core.episode_data import EpisodeData
from optix_core.errors import (
    ConfigurationError,
    ContractViolationError,
    PipelineError,
    StreamTimeoutError,
)
from optix_core.row_values import ATOMS, own
from optix_pipelines.live import boundaries
from optix_pipelines.live.boundaries import Boundary
from optix_pipelines.live.live_buffer import End, Gap, LiveBuffer, WhenFull
from optix_pipelines.live.live_item import LiveItem
from optix_pipelines.live.live_window import LiveWindow
from optix_pipelines.live.reconnect_policy import ReconnectPolicy
from optix_pipelines.live.stream_reader import StreamReader

POLL_S = 0.05
"""How often a boundary is asked while the source is silent."""


@final
class LivePipeline(BasePipeline):
    """Collects windows from a live source: one item is one row.

    A thread of ours reads the source into a bounded buffer. The loop takes items from there: the
    agent acts on an item's observation, the action goes back to a source that `TakesActions`, and
    the item's reward and flags belong to that row. Items wait while the agent learns.

    What is delivered: within a connection every item exactly once, in order (fewer only where a
    declared drop policy says so, and `metadata["dropped"]` how many). Across a reconnect at most
    once: what the source sent in between is lost, the episode in progress is cut off as truncated,
    and `metadata["gaps"]` counts it. A `Replayable` source is asked for the item that is missing,
    so that nothing is lost; what was read but not yet in a window when the process died is read
    again by a run that resumes (`state_dict`): at least once. Items that wait at `stop` are let go.

    Windows are the unit of score; `metadata["successor_known"]` [T] says for which rows
    `next_observations` is what truly followed. A window that ends before its boundary is `partial`.

    Every error comes after all items received before it: `PipelineError` with the source's own as
    cause where it failed too often, `StreamClosedError` where it ended so, both as the reconnect
    policy says; `StreamTimeoutError` where it was silent for too long; `PipelineError` with the
    number of the item for one that is malformed or not finite. A source that raises
    `StreamClosedError` has ended for good. What the agent raises leaves as it was raised.

    Args of the constructor:
        data_source: has `stream()`, an iterable or asynchronous iterable of (observation, reward,
            terminated, truncated, info). The pipeline owns it: its `close()` is called at the end.
        agent: who plays; may be set later.
        episode_boundary_fn: whether a window ends, of its `WindowProgress`; default: where the
            source's episodes end.
        every_n_seconds: end windows in time instead, also while nothing comes. An empty window is
            never delivered: time counts from the first row.
        every_n_steps: end windows after as many rows instead.
        buffer_size: items that may wait.
        when_full: "wait" (the source does), "drop_oldest" or "drop_newest".
        reconnect: when to open a lost connection again; default `ReconnectPolicy()`, which gives
            up at the fifth failure in 60 s.
        silence_limit_s: for how long a source may say nothing; None for ever.
        rng: what the jitter of reconnecting is drawn from.
        clock: what stamps windows.
        timer: measures time, in seconds; never runs backwards.

    Raises:
        ConfigurationError: if a value is out of its range, or two boundaries are given.
    """

    def __init__(
        self,
        data_source: DataSource,
        agent: BaseAgent | None = None,
        episode_boundary_fn: Boundary | None = None,
        *,
        every_n_seconds: float | None = None,
        every_n_steps: int | None = None,
        buffer_size: int = 1024,
        when_full: WhenFull | str = WhenFull.WAIT,
        reconnect: ReconnectPolicy | None = None,
        silence_limit_s: float | None = None,
        rng: np.random.Generator | None = None,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        if not isinstance(data_source, DataSource):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError(
                f"data_source must have stream(), got {type(data_source).__name__}; wrap what you "
                "have in a class with this method"
            )
        if silence_limit_s is not None and not silence_limit_s > 0.0:
            raise ConfigurationError(f"silence_limit_s must be above 0, got {silence_limit_s!r}")
        self._source = data_source
        self._boundary = _chosen(episode_boundary_fn, every_n_seconds, every_n_steps)
        self._capacity = positive_int("buffer_size", buffer_size)
        self._when_full = _when_full(when_full)
        self._policy = ReconnectPolicy() if reconnect is None else reconnect
        self._silence_limit_s = silence_limit_s
        self._rng = np.random.default_rng() if rng is None else rng
        self._clock = clock
        self._timer = timer
        self._agent: BaseAgent | None = None
        self._reader: StreamReader | None = None
        self._buffer = LiveBuffer(self._capacity, self._when_full)
        self._lock = threading.RLock()
        self._is_open = True
        self._is_stopped = False
        self._window_id = 0
        self._offset = self._next_offset = 0
        self._return = 0.0
        self._losses: tuple[str, ...] = ()
        self._heard_at = 0.0
        if agent is not None:
            self.set_agent(agent)

    @staticmethod
    def every_n_seconds(n: float) -> Boundary:
        """A boundary n seconds after a window's first row, also while nothing comes."""
        return boundaries.every_n_seconds(n)

    @staticmethod
    def every_n_steps(n: int) -> Boundary:
        """A boundary after n rows."""
        return boundaries.every_n_steps(n)

    @property
    def is_live(self) -> bool:
        return True

    def setup(self) -> None:
        with self._lock:
            if self._is_stopped:
                self.teardown()
            self._is_open, self._is_stopped = True, False

    def set_agent(self, agent: BaseAgent) -> None:
        if not isinstance(agent, BaseAgent):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ContractViolationError(
                f"agent must derive from BaseAgent, got {type(agent).__name__}"
            )
        self._agent = agent

    def episodes(self) -> Iterator[EpisodeData]:
        """Yield windows until `stop`; a second iterator goes on where the first was left.

        Raises:
            PipelineError: if there is no agent, or after `teardown`.
        """
        self._seated()
        return iter(self._next_window, None)

    def stop(self) -> None:
        """End collecting, from any thread: who waits gets the window in progress, as partial.

        Returns at once. Reading ends too, and items that wait are let go; `setup` begins anew.
        """
        with self._lock:
            self._is_stopped = True
            if self._reader is not None:
                self._reader.stop()

    def teardown(self) -> None:
        """Stop, close the source, and wait for our threads, for a second at most.

        A source that does not end by then is named in a warning and left to itself.
        """
        self.stop()
        with self._lock:
            reader, self._reader = self._reader, None
            self._is_open = False
        if reader is not None:
            reader.join()

    @property
    def losses(self) -> Sequence[str]:
        """What `load_state_dict` could not put back."""
        return self._losses

    def state_dict(self) -> dict[str, Any]:
        """Where the source is to be read from again: behind the last window delivered."""
        return {"offset": self._offset, "window_id": self._window_id, "return": self._return}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on behind the last window of another process, as far as the source can; see `losses`.

        Raises:
            PipelineError: if the source is being read already.
        """
        with self._lock:
            if self._reader is not None:
                raise PipelineError(
                    "the source is being read; call load_state_dict before the first window, or "
                    "after teardown()"
                )
        self._offset = self._next_offset = int(state["offset"])
        self._window_id = int(state["window_id"])
        can_replay = isinstance(self._source, Replayable)
        self._return = float(state["return"]) if can_replay else 0.0
        if not can_replay:
            name, last = type(self._source).__name__, self._window_id - 1
            lost = f"{name} has no seek(offset): what it sent since window {last} is lost"
            self._losses = (lost,)

    def _next_window(self) -> EpisodeData | None:
        agent, reader = self._seated(), self._reading()
        window = LiveWindow(self._next_offset, self._return)
        self._heard_at = self._timer()
        try:
            return self._collect(agent, reader, window)
        except BaseException as error:
            self._return = 0.0
            error.add_note(f"Optix: at step {len(window)} of window {self._window_id}")
            raise

    def _collect(
        self, agent: BaseAgent, reader: StreamReader, window: LiveWindow
    ) -> EpisodeData | None:
        while True:
            match self._buffer.take(POLL_S):
                case LiveItem() as item:
                    self._play(agent, reader, window, item)
                case Gap():
                    was_complete = self._is_complete(window)
                    window.cut_off()
                    if not was_complete and self._is_complete(window):
                        return self._close(window, is_partial=True)
                case End(error):
                    return self._end(window, error)
                case None:
                    self._watch_silence()
            if self._is_complete(window):
                return self._close(window, is_partial=False)

    def _play(
        self, agent: BaseAgent, reader: StreamReader, window: LiveWindow, item: LiveItem
    ) -> None:
        now = self._heard_at = self._timer()
        self._next_offset = item.offset + 1
        action = agent.act(item.observation)
        is_sent = reader.send(action, item.connection)
        window.append(item, action if type(action) in ATOMS else own(action), now)
        window.n_unsent += not is_sent

    def _is_complete(self, window: LiveWindow) -> bool:
        progress = window.progress(self._timer())
        return progress is not None and bool(self._boundary(progress))

    def _end(self, window: LiveWindow, error: PipelineError | None) -> EpisodeData | None:
        if len(window):
            return self._close(window, is_partial=True)
        if error is not None:
            raise error
        return None

    def _close(self, window: LiveWindow, *, is_partial: bool) -> EpisodeData:
        data = window.build(
            self._buffer.peek(),
            window_id=self._window_id,
            timestamp=self._clock(),
            is_partial=is_partial,
        )
        self._window_id += 1
        self._offset, self._return = window.next_offset, window.return_after
        return data

    def _watch_silence(self) -> None:
        limit = self._silence_limit_s
        if limit is not None and self._timer() - self._heard_at >= limit:
            error = StreamTimeoutError(
                f"{type(self._source).__name__} sent nothing for {limit:g} s, after "
                f"{self._next_offset} items; raise silence_limit_s if it may be silent for longer"
            )
            self._buffer.end(error)

    def _reading(self) -> StreamReader:
        """Return the reader, begun when the first window is asked for."""
        with self._lock:
            if self._reader is None:
                self._buffer = LiveBuffer(self._capacity, self._when_full)
                self._reader = StreamReader(
                    self._source,
                    self._buffer,
                    policy=self._policy,
                    rng=self._rng,
                    timer=self._timer,
                    offset=self._next_offset,
                )
                self._reader.start()
            reader = self._reader
        if self._is_stopped:  # asked again: a signal handler may have stopped us inside the lock
            reader.stop()
        return reader

    def _seated(self) -> BaseAgent:
        if not self._is_open:
            raise PipelineError("the pipeline is closed; call setup() before collecting")
        if self._agent is None:
            raise PipelineError(
                "no agent plays this pipeline; pass agent=, or call set_agent before episodes()"
            )
        return self._agent


def _chosen(
    boundary: Boundary | None, every_n_seconds: float | None, every_n_steps: int | None
) -> Boundary:
    given = [
        *([] if boundary is None else [boundary]),
        *([] if every_n_seconds is None else [boundaries.every_n_seconds(every_n_seconds)]),
        *([] if every_n_steps is None else [boundaries.every_n_steps(every_n_steps)]),
    ]
    if len(given) > 1:
        raise ConfigurationError(
            "a window has one boundary: give one of episode_boundary_fn, every_n_seconds and "
            "every_n_steps"
        )
    return given[0] if given else boundaries.at_episode_end


def _when_full(policy: WhenFull | str) -> WhenFull:
    try:
        return WhenFull(policy)
    except ValueError as error:
        raise ConfigurationError(
            f"when_full must be one of {', '.join(WhenFull)}, got {policy!r}"
        ) from error
