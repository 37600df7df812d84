"""A wrapper that can put the episode in progress of a Gymnasium environment back."""

from collections.abc import Mapping
from typing import Any, final

import gymnasium

from optix_core.episode_replay import ActionTrace, SeededResets
from optix_core.row_values import ATOMS, own

_FLUSH_AT = 1_000
"""Actions gathered one by one before they become an array."""


@final
class ReplayableEnv(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Remembers its last seeded reset and the actions since, and plays them again.

    A vector environment resets its parts by itself, without seeds; so this wrapper seeds some of
    those resets, on children of the seed that it was given first: see `SeededResets`.
    """

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        """Wrap an environment that has not been reset yet."""
        super().__init__(env)
        self._resets = SeededResets()
        self._trace = ActionTrace()
        self._recent: list[Any] = []
        self._is_between = True
        self._echo: tuple[Any, bool] | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Reset the environment; on a seed of its own where it is due and none is given."""
        if self._echo is not None:
            return self._echo[0], {}
        if seed is not None:
            self._resets.restart(seed)
        own_seed = self._resets.next_seed(len(self._trace) + len(self._recent))
        if own_seed is not None:
            self._trace.begin(own_seed)
            self._recent.clear()
        self._is_between = False
        return self.env.reset(seed=own_seed, options=options)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Take a step and remember the action."""
        if self._echo is not None:
            observation, is_over = self._echo
            self._echo = None
            return observation, 0.0, is_over, False, {}
        self._recent.append(action if type(action) in ATOMS else own(action))
        if len(self._recent) == _FLUSH_AT:
            self._flush()
        result = self.env.step(action)
        self._is_between = bool(result[2] or result[3])
        return result

    def state_dict(self) -> dict[str, Any]:
        """Return the last seeded reset and the actions since."""
        self._flush()
        return {
            "resets": self._resets.state_dict(),
            "trace": self._trace.state_dict(),
            "is_between": self._is_between,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> str:
        """Play them again; returns why that was not possible, else nothing.

        The next reset and the step after it change nothing: they give what was seen last, and
        whether that ended an episode, so that a vector environment may learn where its parts stand.
        """
        self._resets.load_state_dict(state["resets"])
        self._trace.load_state_dict(state["trace"])
        self._recent.clear()
        if self._trace.seed is None:
            return "an episode in progress is too long to play again, or was not seeded"
        observation, _ = self.env.reset(seed=self._trace.seed)
        is_between = False
        for action in self._trace.actions():
            if is_between:
                observation, _ = self.env.reset()
            observation, _, terminated, truncated, _ = self.env.step(action)
            is_between = bool(terminated or truncated)
        self._is_between = bool(state["is_between"])
        if is_between and not self._is_between:
            observation, _ = self.env.reset()
        self._echo = (observation, self._is_between)
        return ""

    def _flush(self) -> None:
        self._trace.extend(self._recent)
        self._recent.clear()
