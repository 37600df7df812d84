"""Makes a window of the rows of environments that step together."""

from collections.abc import Mapping, Sequence
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from optix_core.episode_data import BoolArray, EpisodeData, FloatArray
from optix_core.row_log import RowLog


@final
class VectorRows:
    """Gathers rows [N, ...] of N environments, one field a log."""

    def __init__(self, num_envs: int) -> None:
        self._num_envs = num_envs
        self._cuts: list[tuple[int, BoolArray]] = []
        self.observations = RowLog()
        self.actions = RowLog()
        self.rewards = RowLog()
        self.terminated = RowLog()
        self.truncated = RowLog()
        self.successors = RowLog()
        self.valid = RowLog()
        self.infos: list[Mapping[str, Any]] = []

    def __len__(self) -> int:
        return len(self.infos)

    def cut_off(self, mask: BoolArray) -> None:
        """Make the last row the end of these environments' episodes, as truncated."""
        self._cuts.append((len(self) - 1, mask.copy()))

    def build(
        self,
        *,
        window_id: int,
        timestamp: float,
        has_invalid_rows: bool,
        returns_before: FloatArray | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> EpisodeData:
        """Make the window of at least one row; rows that are not valid end nothing."""
        valid = self.valid.stack()
        truncated = self.truncated.stack() & valid
        for row, mask in self._cuts:
            truncated[row] |= mask & valid[row]
        return EpisodeData(
            observations=_by_env(self.observations.stack(), self._num_envs),
            actions=_by_env(self.actions.stack(), self._num_envs),
            rewards=self.rewards.stack(),
            terminated=self.terminated.stack() & valid,
            truncated=truncated,
            next_observations=_by_env(self.successors.stack(), self._num_envs),
            infos=self.infos,
            episode_id=window_id,
            timestamp=timestamp,
            metadata={} if metadata is None else metadata,
            valid=valid if has_invalid_rows else None,
            returns_before=returns_before,
        )


def _by_env(rows: NDArray[Any], num_envs: int) -> NDArray[Any]:
    """Return [T, N, ...] as it is; rows that could not be stacked become objects, [T, N]."""
    if rows.ndim > 1:
        return rows
    cells = np.empty((len(rows), num_envs), dtype=np.object_)
    for step, row in enumerate(rows):
        row_of_envs: Sequence[Any] = row
        for env in range(num_envs):
            cells[step, env] = row_of_envs[env]
    return cells
