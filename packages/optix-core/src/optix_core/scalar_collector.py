"""Plays one environment and collects what happens."""

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any, Protocol, final

from optix_core.environment import (
    Closeable,
    Environment,
    blame_step,
    restarting_on_error,
)
from optix_core.environment_seat import NOTHING, EnvironmentSeat
from optix_core.episode_data import EpisodeData
from optix_core.errors import ConfigurationError
from optix_core.finite_check import NON_FINITE
from optix_core.player import Player
from optix_core.row_values import ATOMS, own
from optix_core.window_builder import WindowBuilder

_GOOD_STEP: Any = (None, 0.0, False, False, {})


class Collector(Protocol):
    """Collects windows from whatever is played, one environment or many."""

    def restart(self, seed: int | None = None) -> None:
        """Drop the episode in progress; the next row follows a reset on this seed."""
        ...

    def collect(self, player: Player, n_steps: int, *, window_id: int) -> EpisodeData:
        """Collect n_steps rows; an episode in progress goes on from where it was."""
        ...

    def collect_episodes(
        self, player: Player, seeds: Sequence[int], *, max_steps: int, window_id: int
    ) -> EpisodeData:
        """Collect one whole episode a seed, none longer than max_steps."""
        ...

    def close(self) -> None:
        """Close the environment."""
        ...

    @property
    def losses(self) -> Sequence[str]:
        """What the last `load_state_dict` could not put back; a new episode begins there."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return where the episodes in progress stand, as far as that can be told."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put the episodes in progress back."""
        ...


@final
class ScalarCollector:
    """Collects windows from one environment.

    An error in the middle of a window leaves as it was raised, with a note that names the step;
    the rows so far and the episode in progress are dropped.

    Raises:
        ConfigurationError: if env has no `reset` or no `step`.
    """

    def __init__(self, env: Environment, clock: Callable[[], float]) -> None:
        if not isinstance(env, Environment):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError(
                f"env must have reset and step, got {type(env).__name__}; wrap what you have in a "
                "class with these two methods"
            )
        self._seat = EnvironmentSeat(env)
        self._clock = clock
        self._return_so_far = 0.0

    def restart(self, seed: int | None = None) -> None:
        """Drop the episode in progress; the next row follows a reset on this seed."""
        self._seat.restart(seed)
        self._return_so_far = 0.0

    def collect(self, player: Player, n_steps: int, *, window_id: int) -> EpisodeData:
        """Collect n_steps rows; an episode that ended at the last row is reset when next asked."""
        rows, seat = WindowBuilder(), self._seat
        with restarting_on_error(rows, window_id, self.restart):
            n_bad = self._play(player.act, rows, n_steps)
            if seat.observation is not NOTHING:
                if isfinite(rows.total_reward):
                    rows.break_off(seat.observation)
                else:
                    # The return of the episode in progress is lost, so another one begins.
                    rows.cut_off(seat.observation)
                    seat.drop_episode()
            window = rows.build(
                window_id=window_id,
                timestamp=self._clock(),
                return_before=self._return_so_far,
                metadata={NON_FINITE: n_bad} if n_bad else None,
            )
            seat.end_window(rows.actions, window.actions)
        self._return_so_far = rows.return_after(self._return_so_far)
        return window

    def collect_episodes(
        self, player: Player, seeds: Sequence[int], *, max_steps: int, window_id: int
    ) -> EpisodeData:
        """Collect one whole episode a seed, one after the other.

        One that reaches max_steps is cut off there, as truncated; `metadata["episodes_cut_off"]`
        counts these.
        """
        rows, seat = WindowBuilder(), self._seat
        cut_off = n_bad = 0
        with restarting_on_error(rows, window_id, self.restart):
            for seed in seeds:
                self.restart(seed)
                n_bad += self._play(player.act, rows, max_steps, is_one_episode=True)
                if seat.observation is not NOTHING:
                    rows.cut_off(seat.observation)
                    cut_off += 1
            self.restart()
            metadata = {"episodes_cut_off": cut_off} | ({NON_FINITE: n_bad} if n_bad else {})
            return rows.build(window_id=window_id, timestamp=self._clock(), metadata=metadata)

    def close(self) -> None:
        """Close the environment where it can be closed."""
        self.restart()
        if isinstance(self._seat.env, Closeable):
            self._seat.env.close()

    @property
    def losses(self) -> Sequence[str]:
        """What `load_state_dict` could not put back."""
        return tuple(self._seat.losses)

    def state_dict(self) -> dict[str, Any]:
        """Return where the episode in progress stands."""
        return {"seat": self._seat.state_dict(), "return_so_far": self._return_so_far}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put the episode in progress back; where that fails a new one begins."""
        self._seat.load_state_dict(state["seat"])
        self._return_so_far = 0.0 if self._seat.losses else state["return_so_far"]

    def _play(
        self,
        act: Callable[[Any], Any],
        rows: WindowBuilder,
        n_steps: int,
        *,
        is_one_episode: bool = False,
    ) -> int:
        """Collect rows; returns how many episodes ended for an observation that was not finite."""
        # The hot loop: bound methods, and no calls of our own but for what is odd or ends, and for
        # the look at each observation. Steps without info share one dict: 200 empty ones were 1-2 %
        # of a CartPole window.
        seat, n_bad = self._seat, 0
        step, observation, result = seat.env.step, seat.observation, _GOOD_STEP
        keep_observation, keep_odd = rows.observations.rows.append, rows.observations.keep_odd
        keep_action, keep_reward = rows.actions.append, rows.rewards.append
        keep_info, no_info = rows.infos.append, dict[str, Any]()
        if observation is NOTHING:
            observation = seat.reset(len(rows))
        look = rows.observations.looking(observation)
        seen = look(observation)
        try:
            for _ in range(n_steps):
                if observation is NOTHING:
                    if is_one_episode:
                        break
                    observation = seat.reset(len(rows))
                    seen = look(observation)
                keep_observation(seen or keep_odd(observation))
                action = act(observation)
                keep_action(action if type(action) in ATOMS else own(action))
                result = step(action)
                observation, reward, terminated, truncated, info = result
                keep_reward(reward)
                if terminated or truncated:
                    rows.end_episode(observation, terminated, truncated)
                    observation = NOTHING
                keep_info(own(info) if info else no_info)
                if observation is not NOTHING:
                    seen = look(observation)
                    if seen is None:
                        rows.cut_off(observation)
                        seat.drop_episode()
                        observation, n_bad = NOTHING, n_bad + 1
        except (TypeError, ValueError) as error:
            blame_step(result, error)
            raise
        seat.observation = observation
        return n_bad
