"""What a callback is handed of a running loop: a few things to look at, and a few to do."""

from collections.abc import Sequence
from typing import Any, final

import numpy as np

from optix_core.base_agent import BaseAgent
from optix_core.checkpoint_registry import CheckpointRegistry
from optix_core.decisions import NextRound, Stop
from optix_core.eval_metrics import EvalMetrics
from optix_core.loop_state import LoopState
from optix_core.policy_snapshot import PolicySnapshot
from optix_core.run_in_progress import RunInProgress


@final
class RunHandle:
    """The `LoopHandle` of one run."""

    def __init__(self, run: RunInProgress) -> None:
        """Hand out this run."""
        self._run = run
        self._offer: NextRound | None = None

    @property
    def state(self) -> LoopState:
        """State of the loop."""
        return self._run.book.state

    @property
    def steps(self) -> int:
        """Environment steps of training so far."""
        return self._run.progress.steps

    @property
    def validation_steps(self) -> int:
        """Environment steps of validation so far."""
        return self._run.parts.judge.validation_steps

    @property
    def learner(self) -> BaseAgent:
        """The agent that acts and learns in this round."""
        return self._run.learner

    @property
    def history(self) -> Sequence[EvalMetrics]:
        """Evaluations so far, oldest first, thinned beyond 4,096."""
        return self._run.book.history

    @property
    def registry(self) -> CheckpointRegistry:
        """Where this run keeps its snapshots."""
        return self._run.parts.registry

    @property
    def best_snapshot(self) -> PolicySnapshot | None:
        """The best policy of this run so far."""
        return self._run.book.bests.of_run

    @property
    def round_best_snapshot(self) -> PolicySnapshot | None:
        """The best policy of this round so far."""
        return self._run.book.bests.of_round

    @property
    def is_stuck(self) -> bool:
        """Whether nothing shows that the run ever rose above its first evaluations."""
        return self._run.book.is_stuck

    @property
    def ending(self) -> Stop | None:
        """Why the run ends; None while it goes on."""
        return self._run.ending

    def generator(self) -> np.random.Generator:
        """A generator at the beginning of the run's evolution stream."""
        return self._run.parts.seeds.generator("evolution")

    def roll_back(self) -> None:
        """Restore the round's best policy; does nothing before the round's first finite score."""
        self._run.roll_back()

    def play_fresh(self, agent: BaseAgent, n_episodes: int) -> tuple[float, ...]:
        """Let any policy play held-out episodes, the same for all; see `LoopHandle`."""
        return self._run.parts.comparison.returns_of(agent, n_episodes, seated=self.learner)

    def stop(self, reason: str = "") -> None:
        """End the run after the window in progress; safe from any thread."""
        self._run.stop(reason)

    def continue_with(self, agent: BaseAgent) -> None:
        """Start a new round with this agent when the loop is DORMANT."""
        self._offer = NextRound(agent)

    def take_offer(self) -> NextRound | None:
        """Return what `continue_with` offered, once; None where nothing was."""
        offer, self._offer = self._offer, None
        return offer

    def record(self, event: str, **fields: Any) -> None:
        """Append an event to the run's journal."""
        self._run.recorder.event(event, **fields)
