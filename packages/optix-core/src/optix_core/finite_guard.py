"""What becomes of a window in which a reward or an observation is NaN or infinite."""

import logging
from collections.abc import Mapping
from typing import Any, Literal, final, get_args

from optix_core.episode_data import EpisodeData
from optix_core.errors import ConfigurationError, NonFiniteDataError
from optix_core.finite_check import count_non_finite

logger = logging.getLogger(__name__)

OnNonFinite = Literal["raise", "skip", "rollback"]
"""`raise` ends the run at once; `skip` passes the window over: it is neither scored nor learned
from; `rollback` does that too, and restores the best policy of the round."""

MAX_IN_A_ROW = 3
"""So many windows in a row that are not finite end the run, whatever the setting."""


def check_policy(name: str, policy: str) -> OnNonFinite:
    """Refuse a policy that there is not.

    Raises:
        ConfigurationError: if it is none of `OnNonFinite`.
    """
    for known in get_args(OnNonFinite):
        if policy == known:
            return known
    raise ConfigurationError(
        f"{name} must be one of {', '.join(get_args(OnNonFinite))}, got {policy!r}"
    )


@final
class FiniteGuard:
    """Keeps windows that are not finite from being scored and learned from.

    An agent never sees an observation that is not finite: pipelines end the episode there.
    """

    def __init__(self, policy: OnNonFinite = "skip") -> None:
        """Guard by this policy."""
        self.policy = policy
        self.n_skipped = 0
        """Windows that were passed over."""
        self._in_a_row = 0

    def passes(self, window: EpisodeData) -> bool:
        """Whether a window may be scored and learned from.

        Raises:
            NonFiniteDataError: if it may not, by `raise` or for the third time in a row.
        """
        count = count_non_finite(window)
        if not count:
            self._in_a_row = 0
            return True
        self.n_skipped += 1
        self._in_a_row += 1
        if self.policy == "raise":
            raise NonFiniteDataError(
                f"window {window.episode_id} holds rewards or observations that are NaN or "
                'infinite; mend the environment, or give on_nonfinite="skip"'
            )
        if self._in_a_row == MAX_IN_A_ROW:
            raise NonFiniteDataError(
                f"{MAX_IN_A_ROW} windows in a row, the last one window {window.episode_id}, hold "
                "rewards or observations that are NaN or infinite; mend the environment"
            )
        logger.warning(
            "window %d holds rewards or observations that are NaN or infinite: it is passed over",
            window.episode_id,
        )
        return False

    def state_dict(self) -> dict[str, Any]:
        """Return the counts."""
        return {"n_skipped": self.n_skipped, "in_a_row": self._in_a_row}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put back what `state_dict` returned."""
        self.n_skipped, self._in_a_row = state["n_skipped"], state["in_a_row"]
