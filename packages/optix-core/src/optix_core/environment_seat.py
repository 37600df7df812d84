"""One environment and the episode in progress in it, which can be told to others and put back."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from optix_core._state_tree import is_storable
from optix_core.abilities import HasState, supports
from optix_core.environment import Environment, is_reset, takes_seed
from optix_core.episode_replay import MAX_STEPS, RESEED_AFTER, ActionTrace, SeededResets
from optix_core.errors import PipelineError
from optix_core.finite_check import is_finite

logger = logging.getLogger(__name__)

NOTHING: Any = object()
"""Stands for an observation that is yet to come: None may be one."""

_MAX_RESETS = 3
"""Resets in a row whose observation is not finite before that is an error."""


@final
class EnvironmentSeat:
    """Resets an environment, on seeds of its own where it takes them, and puts an episode back.

    The episode in progress is put back by the environment's own `state_dict` where it has one, else
    by the last seeded reset and the actions since, whose outcome is compared with the observation
    that was stored. Where neither works the next window begins with a seeded reset, and `losses`
    says why.
    """

    def __init__(self, env: Environment) -> None:
        """Take an environment that has not been reset yet."""
        self.env = env
        self.observation: Any = NOTHING
        """What the agent sees next; `NOTHING` where a reset has to come first."""
        self.losses: list[str] = []
        """What the last `load_state_dict` could not put back."""
        self._takes_seed = takes_seed(env.reset)
        self._has_warned = False
        self._resets = SeededResets()
        self._trace = ActionTrace()
        self._trace_from = 0
        self._must_reseed = False

    def restart(self, seed: int | None = None) -> None:
        """Drop the episode in progress; the next reset is on this seed."""
        self.observation = NOTHING
        self._resets.restart(seed if self._takes_seed else None)
        self._trace.begin(None)
        if seed is not None and not self._takes_seed and not self._has_warned:
            self._has_warned = True
            logger.warning(
                "reset of %s takes no seed: its episodes cannot be repeated",
                type(self.env).__name__,
            )

    def drop_episode(self) -> None:
        """Let the next row follow a reset, though the environment did not end the episode."""
        self.observation = NOTHING
        # Resets that no end of an episode explains cannot be played again: a new trace begins.
        self._must_reseed = True

    def reset(self, n_rows: int) -> Any:
        """Reset the environment; returns the first observation, which is finite.

        Args:
            n_rows: rows of the window in progress.

        Raises:
            PipelineError: if it returns something else, or three times what is not finite.
        """
        for _ in range(_MAX_RESETS):
            observation = self._reset_once(n_rows)
            if is_finite(observation):
                return observation
            self._must_reseed = True
        raise PipelineError(
            f"reset of {type(self.env).__name__} gave an observation that is not finite "
            f"{_MAX_RESETS} times in a row; no episode can begin"
        )

    def end_window(self, actions: Sequence[Any], stacked: NDArray[Any]) -> None:
        """Take note of the actions of a window that is complete, as they were and as one array."""
        self._trace.extend(actions[self._trace_from :], stacked[self._trace_from :])
        self._trace_from = 0

    def state_dict(self) -> dict[str, Any]:
        """Return where the episode in progress stands, as far as that can be stored."""
        is_known = self.observation is NOTHING or is_storable(self.observation)
        has_own = supports(self.env, HasState)
        return {
            "resets": self._resets.state_dict(),
            "must_reseed": self._must_reseed,
            "env": self.env.state_dict() if supports(self.env, HasState) else None,
            "trace": None if has_own else self._trace.state_dict(),
            "is_between": self.observation is NOTHING,
            "observation": None
            if self.observation is NOTHING or not is_known
            else self.observation,
            "is_known": is_known,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put back what `state_dict` returned; `losses` says what that was not enough for."""
        self.losses = []
        self._resets.load_state_dict(state["resets"])
        self._must_reseed = state["must_reseed"]
        loss = self._put_back(state)
        if loss:
            self.losses.append(f"{type(self.env).__name__} begins a new episode: {loss}")
            self.drop_episode()

    def _put_back(self, state: Mapping[str, Any]) -> str:
        """Put the episode back; returns why that was not possible, else nothing."""
        if state["trace"] is not None:
            return self._put_back_by_trace(state)
        if not supports(self.env, HasState):
            return "it has no state_dict any more"
        if not state["is_known"]:
            return "its observation cannot be stored"
        self.env.load_state_dict(state["env"])
        self.observation = NOTHING if state["is_between"] else state["observation"]
        return ""

    def _put_back_by_trace(self, state: Mapping[str, Any]) -> str:
        if state["is_between"] and self._resets.is_pending:
            # Begun anew on a seed, and not played since: the reset is all there is to do.
            self.observation = NOTHING
            return ""
        self._trace.load_state_dict(state["trace"])
        if state["is_between"] and (self._must_reseed or self._resets.is_fresh):
            self.observation = NOTHING  # a seeded reset comes next, whatever was before
            return ""
        if self._trace.seed is None:
            return self._why_no_trace()
        self.observation = self._play_again()
        is_between = self.observation is NOTHING
        if is_between != state["is_between"] or not (
            is_between or not state["is_known"] or _is_equal(state["observation"], self.observation)
        ):
            return "the same actions led elsewhere; it is not deterministic"
        return ""

    def _why_no_trace(self) -> str:
        if not self._takes_seed:
            return "its reset takes no seed"
        if len(self._trace) > MAX_STEPS:
            return f"the one in progress is longer than {MAX_STEPS:,} steps, too long to play again"
        return "it was not seeded"

    def _play_again(self) -> Any:
        observation = self._checked(self.env.reset(seed=self._trace.seed))
        for action in self._trace.actions():
            if observation is NOTHING:
                observation = self._checked(self.env.reset())
            observation, _, terminated, truncated, _ = self.env.step(action)
            if terminated or truncated:
                observation = NOTHING
        return observation

    def _reset_once(self, n_rows: int) -> Any:
        since = len(self._trace) + n_rows - self._trace_from
        seed = self._resets.next_seed(RESEED_AFTER if self._must_reseed else since)
        if self._must_reseed or seed is not None:
            self._must_reseed = False
            self._trace.begin(seed)
            self._trace_from = n_rows
        result = self.env.reset() if seed is None else self.env.reset(seed=seed)
        return self._checked(result)

    def _checked(self, result: Any) -> Any:
        if not is_reset(result):
            raise PipelineError(
                f"reset of {type(self.env).__name__} must return (observation, info), "
                f"got {result!r}; info may be {{}}"
            )
        return result[0]


def _is_equal(left: Any, right: Any) -> bool:
    try:
        np.testing.assert_equal(right, left)
    except AssertionError:
        return False
    return True
