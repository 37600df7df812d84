"""The contract of a callback: eight hooks, each a no-op until overridden."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from optix_core.base_agent import BaseAgent
from optix_core.checkpoint_registry import CheckpointRegistry
from optix_core.decisions import CallbackDecision, Stop
from optix_core.eval_metrics import EvalMetrics
from optix_core.loop_state import LoopState
from optix_core.policy_snapshot import PolicySnapshot


class LoopHandle(Protocol):
    """The few things of a running loop that a callback may use."""

    @property
    def state(self) -> LoopState:
        """State of the loop."""
        ...

    @property
    def steps(self) -> int:
        """Environment steps of training so far."""
        ...

    @property
    def validation_steps(self) -> int:
        """Environment steps of validation so far."""
        ...

    @property
    def learner(self) -> BaseAgent:
        """The agent that acts and learns in this round."""
        ...

    @property
    def history(self) -> Sequence[EvalMetrics]:
        """Evaluations so far, oldest first, thinned beyond 4,096."""
        ...

    @property
    def registry(self) -> CheckpointRegistry:
        """Where this run keeps its snapshots."""
        ...

    @property
    def best_snapshot(self) -> PolicySnapshot | None:
        """The best policy of this run so far."""
        ...

    @property
    def round_best_snapshot(self) -> PolicySnapshot | None:
        """The best policy of this round so far."""
        ...

    @property
    def is_stuck(self) -> bool:
        """Whether nothing shows that the run ever rose above its first evaluations.

        Never without evidence in the scores; known for good once the run has risen.
        """
        ...

    @property
    def ending(self) -> Stop | None:
        """Why the run ends; None while it goes on."""
        ...

    def generator(self) -> np.random.Generator:
        """Return a generator at the beginning of the run's evolution stream."""
        ...

    def roll_back(self) -> None:
        """Restore the round's best policy: weights, optimizer slots, hyperparameters.

        Raises:
            CheckpointError: if its snapshot cannot be read.
            ContractViolationError: if the agent does not give back its hyperparameters.
        """
        ...

    def play_fresh(self, agent: BaseAgent, n_episodes: int) -> tuple[float, ...]:
        """Let any policy play held-out episodes, which count as validation.

        Their seeds serve comparisons by callbacks alone, and are the same for every policy; who
        learns stays seated.

        Returns:
            The return of each episode. () where the validation pipeline plays no such episodes,
            there is none, scores are not mean returns or not finite, or with `confirm=False`.
        """
        ...

    def stop(self, reason: str = "") -> None:
        """End the run after the window in progress; wins over a next round."""
        ...

    def continue_with(self, agent: BaseAgent) -> None:
        """Start a new round with this agent when the loop is DORMANT.

        The learner itself goes on instead: its count starts anew, its best stays to be beaten.
        """
        ...

    def record(self, event: str, **fields: Any) -> None:
        """Append an event of the callback's own to the run's journal."""
        ...


class LoopCallback:
    """Hears of what happens in a run. Hooks are called with positional arguments.

    An exception of a hook is logged, counted and reported; three in a row disable the callback.
    """

    def bind(self, loop: LoopHandle) -> None:
        """Receive the loop, before `on_loop_start`."""

    def on_loop_start(self) -> None:
        """The run begins."""

    def on_loop_stop(self) -> None:
        """The run ended, also by an error."""

    def on_episode_end(self, window_id: int, metrics: EvalMetrics | None) -> None:
        """A window was collected; metrics is None where it was not evaluated."""

    def on_improvement(self, snapshot: PolicySnapshot) -> None:
        """The run has a new best policy."""

    def on_plateau(self, window_id: int, state: LoopState) -> None:
        """COOLING was entered."""

    def on_dormant(self, window_id: int) -> CallbackDecision | None:
        """DORMANT was entered; may return `NextRound` or `Stop`."""

    def on_degradation(self, window_id: int, metrics: EvalMetrics) -> None:
        """The score fell below the degradation threshold; once per excursion."""

    def on_hyperparam_update(self, old: dict[str, Any], new: dict[str, Any]) -> None:
        """The hyperparameters in force changed."""
