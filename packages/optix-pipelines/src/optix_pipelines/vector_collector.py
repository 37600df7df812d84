"""Plays environments that step together and collects what happens."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast, final

import numpy as np
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, VectorEnv
from numpy.typing import NDArray

from optix_core._state_tree import is_storable
from optix_core.environment import restarting_on_error
from optix_core.episode_data import BoolArray, EpisodeData
from optix_core.episode_replay import RESEED_AFTER, SeededResets
from optix_core.errors import PipelineError
from optix_core.finite_check import NON_FINITE, check_for
from optix_core.player import Player
from optix_core.row_values import own
from optix_pipelines.autoreset import autoreset_mode, with_final_observations
from optix_pipelines.vector_actions import VectorActions
from optix_pipelines.vector_restoring import restorer_of
from optix_pipelines.vector_rows import VectorRows
from optix_pipelines.worker_watch import WorkerWatch, checked_timeout

WORKER_TIMEOUT_S = 120.0
"""How long the workers of a vector environment may take for a step or a reset, by default."""

_NOTHING: Any = object()
"""Stands for observations that are yet to come."""

_MAX_RESETS = 3
"""Resets in a row whose observations are not finite before that is an error."""


@final
class VectorCollector:
    """Collects windows [T, N, ...] from a vector environment, whatever its autoreset mode.

    An error in the middle of a window leaves as it was raised, with a note that names the step;
    the rows so far and the episodes in progress are dropped.

    Where workers of an `AsyncVectorEnv` die, or do not answer within worker_timeout_s seconds,
    that is a `PipelineError`, and none of them is left.

    Raises:
        ConfigurationError: if the environment does not say when it resets, or the time-out is not
            above 0.
    """

    def __init__(
        self,
        env: VectorEnv[Any, Any, Any],
        clock: Callable[[], float],
        *,
        worker_timeout_s: float | None = WORKER_TIMEOUT_S,
        is_resumable: bool = True,
    ) -> None:
        """Play these environments.

        Args:
            env: the environments.
            clock: what stamps windows.
            is_resumable: whether episodes in progress are to be put back at a resume, for which
                the parts of a `SyncVectorEnv` are wrapped.
            worker_timeout_s: how long workers may take; None for ever.
        """
        self._env = env
        self._watch = _watch(env, checked_timeout(worker_timeout_s))
        self._clock = clock
        self._mode = autoreset_mode(env)
        self._actions = VectorActions(env)
        self._resets = SeededResets()
        self._restorer = restorer_of(env) if is_resumable else None
        self._is_finite: Callable[[Any], bool] | None = None
        self.losses: list[str] = []
        """What the last `load_state_dict` could not put back."""
        self.restart()

    def restart(self, seed: int | None = None) -> None:
        """Drop the episodes in progress; the next row follows a reset on this seed."""
        self._resets.restart(seed)
        self._drop_episodes()

    def collect(self, player: Player, n_steps: int, *, window_id: int) -> EpisodeData:
        """Collect n_steps rows of each environment.

        With NEXT_STEP autoreset the row after an episode's end is spent on the reset: not valid.
        Where an observation is not finite all episodes are cut off there, and all environments
        reset; `metadata["non_finite"]` counts these.
        """
        rows = VectorRows(self._env.num_envs)
        skips_rows = self._mode is AutoresetMode.NEXT_STEP
        n_bad = 0
        with restarting_on_error(rows, window_id, self.restart):
            while len(rows) < n_steps:
                idle = self._ended if skips_rows else np.zeros_like(self._ended)
                self._step(player, rows, idle)
                if not self._is_presentable():
                    self._begin_anew(rows)
                    n_bad += 1
            if not np.isfinite(rows.rewards.stack()).all():
                # The returns of the episodes in progress are lost, so others begin.
                self._begin_anew(rows)
            window = rows.build(
                window_id=window_id,
                timestamp=self._clock(),
                has_invalid_rows=skips_rows,
                returns_before=self._returns,
                metadata={NON_FINITE: n_bad} if n_bad else None,
            )
            self._returns = window.returns_after
        return window

    def collect_episodes(
        self, player: Player, seeds: Sequence[int], *, max_steps: int, window_id: int
    ) -> EpisodeData:
        """Collect one whole episode a seed, as many side by side as there are environments.

        Each batch of episodes starts from one reset on the next seed, by the environment's own
        convention. Rows of an environment that has ended its episode are not valid. An episode
        that reaches max_steps is cut off there, as truncated; `metadata["episodes_cut_off"]`
        counts these.
        """
        num_envs = self._env.num_envs
        rows = VectorRows(num_envs)
        cut_off = n_bad = 0
        with restarting_on_error(rows, window_id, self.restart):
            for batch, start in enumerate(range(0, len(seeds), num_envs)):
                self.restart(seeds[batch])
                playing = np.arange(num_envs) < len(seeds) - start
                for _ in range(max_steps):
                    playing = playing & ~self._step(player, rows, ~playing)
                    is_bad = playing.any() and not self._is_presentable()
                    n_bad += is_bad
                    if is_bad or not playing.any():
                        break
                rows.cut_off(playing)
                cut_off += int(np.count_nonzero(playing))
            self.restart()
            return rows.build(
                window_id=window_id,
                timestamp=self._clock(),
                has_invalid_rows=True,
                metadata={"episodes_cut_off": cut_off} | ({NON_FINITE: n_bad} if n_bad else {}),
            )

    def state_dict(self) -> dict[str, Any]:
        """Return where the episodes in progress stand, as far as that can be told."""
        is_playing = self._observations is not _NOTHING
        seen = {"observations": self._observations, "last_actions": self._actions.last}
        can_tell = is_playing and self._restorer is not None and is_storable(seen)
        return {
            "resets": self._resets.state_dict(),
            "is_playing": is_playing,
            "env": self._restorer.state_dict() if self._restorer and can_tell else None,
            "seen": seen if can_tell else None,
            "ended": self._ended,
            "returns": self._returns,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put the episodes in progress back; where that fails all begin anew, see `losses`."""
        self._resets.load_state_dict(state["resets"])
        self._drop_episodes()
        self.losses = []
        loss = self._put_back(state) if state["is_playing"] else ""
        if loss:
            self.losses.append(f"{type(self._env).__name__} begins new episodes: {loss}")

    def _put_back(self, state: Mapping[str, Any]) -> str:
        if self._restorer is None or state["env"] is None:
            return "it has no state_dict"
        loss = self._restorer.load_state_dict(state["env"])
        if loss:
            return loss
        self._observations = state["seen"]["observations"]
        self._actions.last = state["seen"]["last_actions"]
        self._rows = self._actions.rows_of_observations(self._observations)
        self._ended, self._returns = state["ended"], state["returns"]
        return ""

    def _drop_episodes(self) -> None:
        num_envs = self._env.num_envs
        self._observations: Any = _NOTHING
        self._rows: NDArray[Any] = np.empty(0)
        self._ended = np.zeros(num_envs, dtype=np.bool_)
        self._returns = np.zeros(num_envs)

    def _is_presentable(self) -> bool:
        """Whether an agent may see the observations."""
        return self._is_finite is None or self._is_finite(self._rows)

    def _begin_anew(self, rows: VectorRows) -> None:
        """Cut all episodes off behind the last row; the next one follows a reset of all."""
        rows.cut_off(~self._ended)
        returns = self._returns
        self._drop_episodes()
        self._returns = returns

    def close(self) -> None:
        """Close the environments."""
        self.restart()
        with self._watched():
            self._env.close()
        if self._watch is not None:
            self._watch.close()

    def _step(self, player: Player, rows: VectorRows, idle: BoolArray) -> BoolArray:
        """Collect one row, valid where not idle; returns which episodes it ended."""
        self._begin_episodes()
        rows.observations.append(self._rows)
        actions = self._actions.choose(player, self._observations, idle)
        rows.actions.append(self._actions.rows_of_actions(actions))
        with self._watched():
            result = self._env.step(actions)
        observations, rewards, terminated, truncated, infos = self._checked(result)
        ended = terminated | truncated
        successors = next_rows = self._actions.rows_of_observations(observations)
        if self._mode is AutoresetMode.SAME_STEP and ended.any():
            successors = with_final_observations(next_rows, ended, infos)
        rows.successors.append(successors)
        rows.rewards.append(rewards)
        rows.terminated.append(terminated)
        rows.truncated.append(truncated)
        rows.valid.append(~idle)
        rows.infos.append(own(infos) if infos else {})
        self._observations, self._rows, self._ended = observations, next_rows, ended
        return ended

    def _begin_episodes(self) -> None:
        if self._observations is _NOTHING:
            self._reset_all()
        elif self._mode is AutoresetMode.DISABLED and self._ended.any():
            self._reset(options={"reset_mask": self._ended.copy()})

    def _reset_all(self) -> None:
        for _ in range(_MAX_RESETS):
            self._reset(seed=self._resets.next_seed(RESEED_AFTER))
            self._is_finite = check_for(self._rows)
            if self._is_presentable():
                return
        raise PipelineError(
            f"reset of {type(self._env).__name__} gave observations that are not finite "
            f"{_MAX_RESETS} times in a row; no episode can begin"
        )

    def _reset(self, **arguments: Any) -> None:
        with self._watched():
            result: Any = self._env.reset(**arguments)
        observations, _ = self._unpacked("reset", result, "(observations, infos)")
        self._observations = observations
        self._rows = self._actions.rows_of_observations(observations)
        self._ended = np.zeros(self._env.num_envs, dtype=np.bool_)

    def _watched(self) -> AbstractContextManager[None]:
        return nullcontext() if self._watch is None else self._watch.call()

    def _checked(self, result: Any) -> tuple[Any, NDArray[Any], BoolArray, BoolArray, Any]:
        form = "(observations, rewards, terminations, truncations, infos)"
        observations, rewards, terminated, truncated, infos = self._unpacked("step", result, form)
        return (
            observations,
            self._column("rewards", rewards, "biuf"),
            self._column("terminations", terminated, "b"),
            self._column("truncations", truncated, "b"),
            infos,
        )

    def _unpacked(self, method: str, result: Any, form: str) -> tuple[Any, ...]:
        values = cast("tuple[Any, ...]", result)
        if not isinstance(result, tuple) or len(values) != form.count(",") + 1:
            raise PipelineError(
                f"{method} of {type(self._env).__name__} must return {form}, got {result!r}"
            )
        return values

    def _column(self, field: str, value: Any, kinds: str) -> NDArray[Any]:
        column: NDArray[Any] = np.asarray(value)
        if column.shape != (self._env.num_envs,) or column.dtype.kind not in kinds:
            raise PipelineError(
                f"{field} of {type(self._env).__name__} must be an array "
                f"[{self._env.num_envs}] of {'bool' if kinds == 'b' else 'numbers'}, got {value!r}"
            )
        return column


def _watch(env: VectorEnv[Any, Any, Any], timeout_s: float | None) -> WorkerWatch | None:
    workers: object = env.unwrapped
    return WorkerWatch(workers, timeout_s) if isinstance(workers, AsyncVectorEnv) else None
