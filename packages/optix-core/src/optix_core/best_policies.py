"""The best policy of the run and of the round in progress, saved and kept from being pruned."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from optix_core.base_agent import BaseAgent
from optix_core.checkpoint_registry import CheckpointRegistry
from optix_core.policy_snapshot import PolicySnapshot
from optix_core.standing import Standing
from optix_core.tuning_seat import read_hyperparams


@dataclass(frozen=True, slots=True)
class _Kept:
    snapshot: PolicySnapshot
    standing: Standing


@final
class BestPolicies:
    """Saves every improvement of a round; the run's best changes only when it is beaten.

    Both are pinned while they stand: an evaluator of the user's may prefer what the registry,
    which goes by score, would prune. The run's best is also its choice in the registry.

    Contenders, whose score was better but unproven, are saved beside them, not pinned: only one
    that scores above those before it, so a plateau of chance does not write without end.
    """

    def __init__(
        self,
        registry: CheckpointRegistry,
        is_better: Callable[[Standing, Standing | None], bool],
    ) -> None:
        """Save to this registry, comparing by this rule."""
        self._registry = registry
        self._is_better = is_better
        self._of_run: _Kept | None = None
        self._of_round: _Kept | None = None
        self._contender: Standing | None = None

    @property
    def of_run(self) -> PolicySnapshot | None:
        """The best of the run; None before the first finite score."""
        return None if self._of_run is None else self._of_run.snapshot

    @property
    def of_round(self) -> PolicySnapshot | None:
        """The best of the round in progress; None before its first finite score."""
        return None if self._of_round is None else self._of_round.snapshot

    @property
    def round_standing(self) -> Standing | None:
        """What the best of the round is held to score."""
        return None if self._of_round is None else self._of_round.standing

    def save(self, learner: BaseAgent, standing: Standing) -> bool:
        """Save the round's new best; returns whether it is the run's best too."""
        before = self._of_run
        is_choice = self._is_better(standing, None if before is None else before.standing)
        snapshot = self._registry.save(
            learner,
            standing.metrics,
            read_hyperparams(learner),
            pin=True,
            is_choice=is_choice,
        )
        self._unpin(self._of_round)
        self._of_round, self._contender = _Kept(snapshot, standing), None
        if not is_choice:
            return False
        self._registry.pin(snapshot.snapshot_id)
        self._unpin(before)
        self._of_run = self._of_round
        return True

    def save_contender(self, learner: BaseAgent, standing: Standing) -> None:
        """Keep a policy that may be better than the round's best."""
        before = self._contender
        if before is None or standing.metrics.beats(before.metrics):
            self._registry.save(learner, standing.metrics, read_hyperparams(learner))
            self._contender = standing

    def begin_round(self) -> None:
        """Forget the round's best: the next round has a baseline of its own."""
        self._unpin(self._of_round)
        self._of_round = self._contender = None

    def release(self) -> None:
        """Let the registry prune again as it likes; the run is over."""
        self._unpin(self._of_round)
        self._unpin(self._of_run)

    def _unpin(self, kept: _Kept | None) -> None:
        if kept is not None:
            self._registry.unpin(kept.snapshot.snapshot_id)
