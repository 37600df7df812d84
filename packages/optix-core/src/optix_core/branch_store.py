"""Snapshots that branches of training begin with and end in, each all that its name stands for."""

import logging
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

from optix_core.abilities import HasState, supports
from optix_core.base_agent import BaseAgent
from optix_core.branch_state import read_branch_state, write_branch_state
from optix_core.checkpoint_registry import CheckpointRegistry
from optix_core.errors import CheckpointCorruptError, CheckpointError
from optix_core.eval_metrics import EvalMetrics
from optix_core.steering_seat import SteeringSeat
from optix_core.tuning_seat import read_hyperparams

logger = logging.getLogger(__name__)


@final
class BranchStore:
    """Keeps learners of a run whole: weights, hyperparameters, and the state beside them.

    That is the agent's (`HasState`, a replay memory included) and that of who steers its step
    size. An agent without `HasState` is kept by weights and hyperparameters; whatever else is in
    it stays with the object, and goes nowhere.

    A snapshot stays until it is released. No save removes another one, so that processes which
    share the directory need not know what the others hold: whoever asked for a unit holds its
    child, and releases it.
    """

    def __init__(self, path: Path, steering: SteeringSeat) -> None:
        """Open a directory; it is made at the first save.

        Args:
            path: the directory, shared by all who do units of the run.
            steering: who steers the step size of the learner in this process.
        """
        self.registry = CheckpointRegistry(path, max_snapshots=sys.maxsize)
        """Where the snapshots lie. They are nobody's best: none has a score."""
        self.steering = steering
        """Who steers the learner that is saved and loaded."""
        self._released: set[str] = set()

    def save(self, agent: BaseAgent) -> str:
        """Keep the learner as it is; returns the name, which nobody holds yet.

        Raises:
            ContractViolationError: if its state cannot be stored, or it wrote no file.
            CheckpointLockedError: if another writer held the directory for 30 s.
            OSError: if the disk is full or fails.
        """
        state = {"agent": _state_of(agent), "steering": self.steering.state_dict()}
        snapshot = self.registry.save(
            agent,
            EvalMetrics(math.nan),
            read_hyperparams(agent),
            write_more=lambda folder: write_branch_state(folder, state),
        )
        return snapshot.snapshot_id

    def load(self, name: str, agent: BaseAgent) -> None:
        """Put a learner back: weights, hyperparameters, then its state and the steering's.

        Of a snapshot that an earlier version wrote, or an agent that had no state then, weights
        and hyperparameters are all there is. What is saved after it belongs to the same run.

        Raises:
            CheckpointNotFoundError: if there is no such snapshot.
            CheckpointCorruptError: if it is damaged, or its step size was steered and nobody
                steers here.
            ContractViolationError: if the agent does not give back the hyperparameters that it got.
        """
        snapshot = self.registry.find(name)
        self.registry.load(snapshot, agent)
        self.registry.run_id = snapshot.run_id
        state = read_branch_state(Path(snapshot.weights_path).parent)
        if state is not None:
            self._put_back(state, agent, name)

    def hold(self, name: str) -> None:
        """Keep a snapshot until it is released as often.

        Raises:
            CheckpointNotFoundError: if there is no such snapshot.
        """
        self.registry.pin(name)

    def release(self, name: str) -> None:
        """Take back one hold, if there is any; what nobody holds is removed.

        What a saved state of the run refers to goes with a later release, and what cannot be
        removed is logged.
        """
        self.registry.unpin(name)
        released, removed = {name, *self._released}, list[str]()
        try:
            removed = self.registry.discard(released)
        except (OSError, CheckpointError) as error:
            logger.warning("released branches stay in %s: %s", self.registry.path, error)
        left = released.difference(removed)
        # A name that is not there may be given to a snapshot yet.
        self._released = {each for each in left if (self.registry.path / each).is_dir()}

    def clear(self) -> None:
        """Remove all but what the latest saved state of the run refers to.

        Raises:
            CheckpointLockedError: if another writer held the directory for 30 s.
            OSError: if something cannot be removed.
        """
        self.registry.clear()

    def _put_back(self, state: Mapping[str, Any], agent: BaseAgent, name: str) -> None:
        try:
            of_agent, of_steering = state["agent"], state["steering"]
        except KeyError as error:
            raise CheckpointCorruptError(f"the state in {name} lacks {error}") from error
        if of_agent is not None and supports(agent, HasState):
            agent.load_state_dict(of_agent)
        self.steering.load_state_dict(of_steering)


def _state_of(agent: BaseAgent) -> dict[str, Any] | None:
    return agent.state_dict() if supports(agent, HasState) else None
