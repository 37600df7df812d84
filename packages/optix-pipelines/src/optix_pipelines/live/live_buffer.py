"""The bounded buffer between the thread that reads a source and the loop that plays its items."""

import threading
from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, final

from optix_core.errors import PipelineError
from optix_pipelines.live.live_item import LiveItem


class WhenFull(StrEnum):
    """What becomes of an item for which there is no room."""

    WAIT = "wait"
    """The source waits: nothing is lost."""
    DROP_OLDEST = "drop_oldest"
    """The oldest item that waits makes room for it."""
    DROP_NEWEST = "drop_newest"
    """It is dropped itself."""


@final
@dataclass(frozen=True, slots=True)
class Gap:
    """Stands where a connection was lost and nobody knows what came in between."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class End:
    """Stands behind the last item."""

    error: PipelineError | None
    """Why no more will come; None where the consumer wanted no more."""


GAP: Final = Gap()


@final
class LiveBuffer:
    """Items in the order in which they arrived; one thread puts, one takes, any may stop it.

    The lock is re-entrant, so that a signal handler may call `stop` while its own thread takes.

    Args of the constructor:
        capacity: items that may wait.
        when_full: what becomes of one more.
    """

    def __init__(self, capacity: int, when_full: WhenFull) -> None:
        self._capacity = capacity
        self._when_full = when_full
        self._entries: deque[LiveItem | Gap] = deque()
        self._end: End | None = None
        self._changed = threading.Condition()

    def put(self, item: LiveItem) -> bool:
        """Keep an item, waiting for room where the policy says so; False once nobody wants it."""
        with self._changed:
            while self._is_blocked():
                self._changed.wait()
            return self._keep(item)

    def put_now(self, item: LiveItem) -> bool | None:
        """Keep an item without waiting; None where `put` would wait."""
        with self._changed:
            return None if self._is_blocked() else self._keep(item)

    def mark_gap(self) -> None:
        """Say that items may be missing from here on; said once however often it is called."""
        with self._changed:
            if not self._entries or self._entries[-1] is not GAP:
                self._entries.append(GAP)
                self._changed.notify_all()

    def end(self, error: PipelineError) -> None:
        """Say that no more items come, and why; what waits can still be taken."""
        with self._changed:
            if self._end is None:
                self._end = End(error)
            self._changed.notify_all()

    def stop(self) -> None:
        """Let go of everything: from here on `take` says that it is over, and `put` refuses."""
        with self._changed:
            self._end = End(None)
            self._entries.clear()
            self._changed.notify_all()

    def take(self, timeout_s: float) -> LiveItem | Gap | End | None:
        """Return what comes next, waiting for it; None where nothing came in time."""
        with self._changed:
            if not self._entries and self._end is None:
                self._changed.wait(timeout_s)
            if not self._entries:
                return self._end
            entry = self._entries.popleft()
            self._changed.notify_all()
            return entry

    def peek(self) -> LiveItem | None:
        """Return the item that comes next where it is already there; it stays."""
        with self._changed:
            entry = self._entries[0] if self._entries else None
            return entry if isinstance(entry, LiveItem) else None

    def _is_blocked(self) -> bool:
        waits = self._when_full is WhenFull.WAIT
        return waits and self._end is None and len(self._entries) >= self._capacity

    def _keep(self, item: LiveItem) -> bool:
        if self._end is not None:
            return False
        if len(self._entries) >= self._capacity:
            if self._when_full is WhenFull.DROP_NEWEST:
                return True
            self._drop_oldest()
        self._entries.append(item)
        self._changed.notify_all()
        return True

    def _drop_oldest(self) -> None:
        for place, entry in enumerate(self._entries):
            if isinstance(entry, LiveItem):
                del self._entries[place]
                return
