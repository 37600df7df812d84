"""The window in progress of a live pipeline."""

from typing import Any, final

import numpy as np

from optix_core.episode_data import EpisodeData
from optix_core.window_builder import WindowBuilder
from optix_pipelines.live.boundaries import WindowProgress
from optix_pipelines.live.live_item import LiveItem


@final
class LiveWindow:
    """Makes rows of items. One item is one row, with its own reward and flags.

    The successor of a row is the observation of the item behind it. It is not known, and
    `successor_known` says so, where the row ended an episode or the connection was lost behind it
    (then it is the row's own observation), where items were dropped in between (then it is what
    the agent saw next), and where the window closed before the next item came (its own).

    Args of the constructor:
        next_offset: number of the item that is expected next.
        return_before: return that the episode in progress has reached.
    """

    def __init__(self, next_offset: int, return_before: float) -> None:
        self._rows = WindowBuilder()
        self._opened_at = 0.0
        self._next_offset = next_offset
        self._return_before = return_before
        self._last: LiveItem | None = None
        self._is_cut_off = False
        self._unknown: list[int] = []
        self._n_dropped = 0
        self._n_gaps = 0
        self.n_unsent = 0
        """Actions that could not be handed to the source."""

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def next_offset(self) -> int:
        """Number of the item behind the last row."""
        return self._next_offset

    @property
    def return_after(self) -> float:
        """Return that the episode in progress has reached."""
        return self._rows.return_after(self._return_before)

    def append(self, item: LiveItem, action: Any, now: float) -> None:
        """Make a row of an item and what the agent did about it, now on the timer."""
        rows = self._rows
        if self._last is None:
            self._opened_at = now
        missing = item.offset - self._next_offset
        if missing:
            self._n_dropped += missing
            if self._last is not None:
                self._unknown.append(len(rows) - 1)
        rows.observations.append(item.observation)
        rows.actions.append(action)
        rows.rewards.append(item.reward)
        if item.terminated or item.truncated:
            rows.end_episode(item.observation, item.terminated, item.truncated)
            self._unknown.append(len(rows))
        rows.infos.append(item.info)
        self._last, self._next_offset, self._is_cut_off = item, item.offset + 1, False

    def cut_off(self) -> None:
        """Take in that the connection was lost: the episode in progress is over, as truncated."""
        self._n_gaps += 1
        last = self._last
        if last is None:
            self._return_before = 0.0
        if last is None or self._has_ended(last):
            return
        self._rows.cut_off(last.observation)
        self._unknown.append(len(self._rows) - 1)
        self._is_cut_off = True

    def progress(self, now: float) -> WindowProgress | None:
        """How far it has come by now, on the timer; None without rows."""
        last = self._last
        if last is None:
            return None
        return WindowProgress(
            n_rows=len(self._rows),
            elapsed_s=now - self._opened_at,
            terminated=last.terminated,
            truncated=last.truncated or self._is_cut_off,
            info=last.info,
        )

    def build(
        self,
        successor: LiveItem | None,
        *,
        window_id: int,
        timestamp: float,
        is_partial: bool,
    ) -> EpisodeData:
        """Close a window of at least one row, with the item behind it where that has come."""
        self._close(successor)
        known = np.ones(len(self._rows), dtype=np.bool_)
        known[self._unknown] = False
        return self._rows.build(
            window_id=window_id,
            timestamp=timestamp,
            return_before=self._return_before,
            metadata={
                "unit": "window",
                "partial": is_partial,
                "successor_known": known,
                "next_offset": self._next_offset,
                "dropped": self._n_dropped,
                "gaps": self._n_gaps,
                "actions_unsent": self.n_unsent,
            },
        )

    def _close(self, successor: LiveItem | None) -> None:
        last = self._last
        if last is None or self._has_ended(last):
            return
        follows = successor is not None and successor.offset == self._next_offset
        self._rows.break_off(successor.observation if successor and follows else last.observation)
        if not follows:
            self._unknown.append(len(self._rows) - 1)

    def _has_ended(self, last: LiveItem) -> bool:
        return last.terminated or last.truncated or self._is_cut_off
