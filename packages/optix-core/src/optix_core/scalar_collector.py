"""Plays one environment and collects what happens."""

import inspect
import logging
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, cast, final, runtime_checkable

import numpy as np

from optix_core.episode_data import EpisodeData
from optix_core.errors import ConfigurationError, PipelineError
from optix_core.player import Player
from optix_core.row_values import ATOMS, own, stack_rows
from optix_core.window_builder import WindowBuilder

logger = logging.getLogger(__name__)

_NOTHING: Any = object()
"""Stands for an observation that is yet to come: None may be one."""
_GOOD_STEP: Any = (None, 0.0, False, False, {})


@runtime_checkable
class Environment(Protocol):
    """What is played: Gymnasium's two methods, no Gymnasium needed."""

    def reset(self, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        """Begin an episode; return (observation, info). Called with `seed=` where it takes one."""
        ...

    def step(self, action: Any, /) -> tuple[Any, Any, Any, Any, Any]:
        """Return (observation, reward, terminated, truncated, info)."""
        ...


@runtime_checkable
class Closeable(Protocol):
    """An environment that wants to be closed."""

    def close(self) -> Any:
        """Let go of what it holds."""
        ...


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
        self._env = env
        self._clock = clock
        self._takes_seed = _takes_seed(env.reset)
        self._has_warned = False
        self._observation = _NOTHING
        self._seed: int | None = None
        self._return_so_far = 0.0

    def restart(self, seed: int | None = None) -> None:
        """Drop the episode in progress; the next row follows a reset on this seed."""
        self._observation = _NOTHING
        self._return_so_far = 0.0
        self._seed = seed
        if seed is not None and not self._takes_seed:
            self._seed = None
            if not self._has_warned:
                self._has_warned = True
                logger.warning(
                    "reset of %s takes no seed: its episodes cannot be repeated",
                    type(self._env).__name__,
                )

    def collect(self, player: Player, n_steps: int, *, window_id: int) -> EpisodeData:
        """Collect n_steps rows; an episode that ended at the last row is reset when next asked."""
        rows = WindowBuilder()
        with self._dropping_on_error(rows, window_id):
            self._play(player.act, rows, n_steps)
            if self._observation is not _NOTHING:
                rows.break_off(self._observation)
            window = rows.build(
                window_id=window_id, timestamp=self._clock(), return_before=self._return_so_far
            )
        self._return_so_far = rows.return_after(self._return_so_far)
        return window

    def collect_episodes(
        self, player: Player, seeds: Sequence[int], *, max_steps: int, window_id: int
    ) -> EpisodeData:
        """Collect one whole episode a seed, one after the other.

        One that reaches max_steps is cut off there, as truncated; `metadata["episodes_cut_off"]`
        counts these.
        """
        rows = WindowBuilder()
        cut_off = 0
        with self._dropping_on_error(rows, window_id):
            for seed in seeds:
                self.restart(seed)
                self._play(player.act, rows, max_steps, is_one_episode=True)
                if self._observation is not _NOTHING:
                    rows.cut_off(self._observation)
                    cut_off += 1
            self.restart()
            metadata = {"episodes_cut_off": cut_off}
            return rows.build(window_id=window_id, timestamp=self._clock(), metadata=metadata)

    def close(self) -> None:
        """Close the environment where it can be closed."""
        self.restart()
        if isinstance(self._env, Closeable):
            self._env.close()

    def _play(
        self,
        act: Callable[[Any], Any],
        rows: WindowBuilder,
        n_steps: int,
        *,
        is_one_episode: bool = False,
    ) -> None:
        # The hot loop: bound methods, and no calls of our own but for what is odd or ends. Steps
        # without info share one dict: 200 empty ones were 1-2 % of a CartPole window.
        step, observation, result = self._env.step, self._observation, _GOOD_STEP
        keep_observation, keep_odd = rows.observations.rows.append, rows.observations.keep_odd
        keep_action, keep_reward = rows.actions.append, rows.rewards.append
        keep_info, array, no_info = rows.infos.append, np.ndarray, dict[str, Any]()
        if observation is _NOTHING:
            observation = self._reset()
        dtype, shape = rows.observations.layout(observation)
        try:
            for _ in range(n_steps):
                if observation is _NOTHING:
                    if is_one_episode:
                        break
                    observation = self._reset()
                if (
                    type(observation) is array
                    and observation.dtype is dtype
                    and observation.shape == shape
                ):
                    keep_observation(observation.tobytes())
                else:
                    keep_observation(keep_odd(observation))
                action = act(observation)
                keep_action(action if type(action) in ATOMS else own(action))
                result = step(action)
                observation, reward, terminated, truncated, info = result
                keep_reward(reward)
                if terminated or truncated:
                    rows.end_episode(observation, terminated, truncated)
                    observation = _NOTHING
                keep_info(own(info) if info else no_info)
        except (TypeError, ValueError) as error:
            _blame(result, error)
            raise
        self._observation = observation

    @contextmanager
    def _dropping_on_error(self, rows: WindowBuilder, window_id: int) -> Generator[None]:
        try:
            yield
        except BaseException as error:
            self.restart()
            error.add_note(f"Optix: at step {len(rows)} of window {window_id}")
            raise

    def _reset(self) -> Any:
        seed, self._seed = self._seed, None
        result = self._env.reset() if seed is None else self._env.reset(seed=seed)
        if not _is_reset(result):
            raise PipelineError(
                f"reset of {type(self._env).__name__} must return (observation, info), "
                f"got {result!r}; info may be {{}}"
            )
        return result[0]


def _takes_seed(reset: Callable[..., Any]) -> bool:
    try:
        parameters = inspect.signature(reset).parameters
    except ValueError:  # not written in Python
        return True
    return "seed" in parameters or any(
        parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values()
    )


def _is_reset(result: Any) -> bool:
    return _is_tuple(result, 2) and isinstance(result[1], Mapping)


def _blame(result: Any, error: Exception) -> None:
    """Raise what is wrong with the result of a step, if anything is."""
    if not _is_tuple(result, len(_GOOD_STEP)):
        raise PipelineError(
            "env.step must return (observation, reward, terminated, truncated, info), got "
            f"{result!r}; wrap an environment of the older form in one that splits its `done`"
        ) from error
    _, reward, terminated, truncated, _ = result
    if not _is_scalar(reward, "biuf"):
        raise PipelineError(
            f"reward must be one real number, got {reward!r} of type {type(reward).__name__}; "
            "let env.step return a float"
        ) from error
    for name, flag in (("terminated", terminated), ("truncated", truncated)):
        if not _is_scalar(flag, "biu"):
            raise PipelineError(
                f"{name} must be True or False, got {flag!r} of type {type(flag).__name__}; "
                "let env.step return a bool"
            ) from error


def _is_scalar(value: Any, kinds: str) -> bool:
    column = stack_rows([value])
    return column.ndim == 1 and column.dtype.kind in kinds


def _is_tuple(result: Any, size: int) -> bool:
    return isinstance(result, tuple) and len(cast("tuple[Any, ...]", result)) == size
