"""The agent that learns: what its last lesson returned, and whether it may take the next."""

from collections.abc import Mapping
from typing import Any, final

from optix_core.base_agent import BaseAgent
from optix_core.episode_data import EpisodeData
from optix_core.errors import ContractViolationError


@final
class LearningSeat:
    """Holds the learner of the round and the diagnostics of the `learn` that made its policy."""

    def __init__(self, agent: BaseAgent) -> None:
        """Seat the first learner."""
        self.agent = agent
        """The agent that acts and learns in this round."""
        self.diagnostics: Mapping[str, Any] = {}
        """What the last `learn` returned; {} where this policy did not come of one."""
        self.is_replaced = False
        """Whether the policy that played the window in progress is gone."""
        self._diagnostics_before: Mapping[str, Any] = {}

    def begin_window(self) -> None:
        """The window in progress was played by the policy that is seated."""
        self.is_replaced = False

    def replace_policy(self, agent: BaseAgent | None = None) -> None:
        """Another policy sits here, by a rollback or with another agent.

        Neither the window in progress nor the diagnostics of the last lesson are its own.
        """
        self.agent = self.agent if agent is None else agent
        self.is_replaced = True
        self.diagnostics = {}

    def learn(self, window: EpisodeData) -> Mapping[str, Any]:
        """Learn from a window; returns its diagnostics.

        Raises:
            ContractViolationError: if `learn` returns no mapping.
        """
        diagnostics = self.agent.learn(window)
        if not isinstance(diagnostics, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ContractViolationError(
                f"learn of {type(self.agent).__name__} must return a dict of diagnostics, "
                f"got {type(diagnostics).__name__}; return {{}} where there are none"
            )
        self._diagnostics_before, self.diagnostics = self.diagnostics, diagnostics
        return diagnostics

    def unlearn(self) -> None:
        """The policy is that of before its last lesson again, whose diagnostics were others."""
        self.diagnostics = self._diagnostics_before
