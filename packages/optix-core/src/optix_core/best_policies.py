"""The best policy of the run and of the round in progress, saved and kept from being pruned."""

from collections.abc import Callable
from typing import final

from optix_core.base_agent import BaseAgent
from optix_core.checkpoint_registry import CheckpointRegistry
from optix_core.eval_metrics import EvalMetrics
from optix_core.policy_snapshot import PolicySnapshot
from optix_core.tuning_seat import read_hyperparams


@final
class BestPolicies:
    """Saves every improvement of a round; the run's best changes only when it is beaten.

    Both are pinned while they stand: an evaluator of the user's may prefer what the registry,
    which goes by score, would prune.
    """

    def __init__(
        self,
        registry: CheckpointRegistry,
        is_better: Callable[[EvalMetrics, EvalMetrics | None], bool],
    ) -> None:
        """Save to this registry, comparing by this rule."""
        self._registry = registry
        self._is_better = is_better
        self._of_run: PolicySnapshot | None = None
        self._of_round: PolicySnapshot | None = None

    @property
    def of_run(self) -> PolicySnapshot | None:
        """The best of the run; None before the first finite score."""
        return self._of_run

    @property
    def of_round(self) -> PolicySnapshot | None:
        """The best of the round in progress; None before its first finite score."""
        return self._of_round

    def improves_round(self, metrics: EvalMetrics) -> bool:
        """Whether these metrics beat the round's best."""
        return self._is_better(metrics, _metrics(self._of_round))

    def save(self, learner: BaseAgent, metrics: EvalMetrics) -> bool:
        """Save the round's new best; returns whether it is the run's best too."""
        snapshot = self._registry.save(learner, metrics, read_hyperparams(learner), pin=True)
        self._unpin(self._of_round)
        self._of_round = snapshot
        if not self._is_better(metrics, _metrics(self._of_run)):
            return False
        self._registry.pin(snapshot.snapshot_id)
        self._unpin(self._of_run)
        self._of_run = snapshot
        return True

    def begin_round(self) -> None:
        """Forget the round's best: the next round has a baseline of its own."""
        self._unpin(self._of_round)
        self._of_round = None

    def release(self) -> None:
        """Let the registry prune again as it likes; the run is over."""
        self._unpin(self._of_round)
        self._unpin(self._of_run)

    def _unpin(self, snapshot: PolicySnapshot | None) -> None:
        if snapshot is not None:
            self._registry.unpin(snapshot.snapshot_id)


def _metrics(snapshot: PolicySnapshot | None) -> EvalMetrics | None:
    return None if snapshot is None else snapshot.eval_metrics
