"""Makes a window of the rows of one environment."""

from array import array
from collections.abc import Mapping
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from optix_core.episode_data import BoolArray, EpisodeData, FloatArray
from optix_core.row_log import RowLog
from optix_core.row_values import stack_rows


@final
class WindowBuilder:
    """Gathers rows in lists, which for one environment beats preallocated arrays.

    The collector appends to the lists itself, one of each a step: a call a step would cost as
    much as all the appending. What it appends must be its own (`row_values.own`).
    """

    __slots__ = ("_ends", "_successors", "actions", "infos", "observations", "rewards")

    def __init__(self) -> None:
        self.observations = RowLog()
        self.actions: list[Any] = []
        self.rewards = array("d")
        self.infos: list[Mapping[str, Any]] = []
        self._ends: list[tuple[int, Any, Any]] = []
        self._successors: list[tuple[int, int]] = []

    def __len__(self) -> int:
        return len(self.infos)

    @property
    def total_reward(self) -> float:
        """Sum of the rewards so far."""
        return float(np.array(self.rewards).sum())

    def end_episode(self, final_observation: Any, terminated: Any, truncated: Any) -> None:
        """Note that the row in progress ends an episode, in which way, and what came of it.

        The row is in progress until its info is appended.
        """
        row = len(self.infos)
        self._ends.append((row, terminated, truncated))
        self._successors.append((row, self.observations.append_behind(final_observation)))

    def cut_off(self, successor: Any) -> None:
        """Make the last row the end of its episode, as truncated."""
        self._ends.append((len(self) - 1, False, True))
        self.break_off(successor)

    def break_off(self, successor: Any) -> None:
        """Note what followed the last row of an episode that goes on beyond this window."""
        self._successors.append((len(self) - 1, self.observations.append_behind(successor)))

    def build(
        self,
        *,
        window_id: int,
        timestamp: float,
        return_before: float = 0.0,
        metadata: Mapping[str, Any] | None = None,
    ) -> EpisodeData:
        """Make the window of at least one row."""
        observations, next_observations = self._stack_observations()
        terminated, truncated = self._flags()
        return EpisodeData(
            observations=observations,
            actions=stack_rows(self.actions),
            rewards=self._reward_column(),
            terminated=terminated,
            truncated=truncated,
            next_observations=next_observations,
            infos=self.infos,
            episode_id=window_id,
            timestamp=timestamp,
            metadata={} if metadata is None else metadata,
            returns_before=np.array([return_before]),
        )

    def return_after(self, return_before: float) -> float:
        """Return that the unfinished episode has reached; 0 where the last row ended one."""
        start = self._ends[-1][0] + 1 if self._ends else 0
        carried = 0.0 if self._ends else return_before
        return carried + float(np.array(self.rewards[start:]).sum())

    def _stack_observations(self) -> tuple[NDArray[Any], NDArray[Any]]:
        # Row t + 1 is the successor of row t, but for the few that were noted, the last row always.
        # These are stacked behind the rows, so that one conversion decides the dtype of all.
        n_rows = len(self)
        stacked = self.observations.stack()
        successors = stacked[1 : n_rows + 1].copy()
        rows, places = map(list, zip(*self._successors, strict=True))
        successors[rows] = stacked[n_rows:][places]
        return stacked[:n_rows], successors

    def _reward_column(self) -> FloatArray:
        return np.array(self.rewards, dtype=np.float64)

    def _flags(self) -> tuple[BoolArray, BoolArray]:
        terminated = np.zeros(len(self), dtype=np.bool_)
        truncated = np.zeros(len(self), dtype=np.bool_)
        for row, is_terminated, is_truncated in self._ends:
            terminated[row] = is_terminated
            truncated[row] = is_truncated
        return terminated, truncated
