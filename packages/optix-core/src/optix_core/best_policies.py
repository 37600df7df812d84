"""The best policy of the run and of the round in progress, saved and kept from being pruned."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

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
        kept = self._saved(learner, standing, is_choice=is_choice)
        self._let_stand(kept if is_choice else before, kept)
        self._contender = None
        return is_choice

    def choose(self, learner: BaseAgent, standing: Standing) -> PolicySnapshot:
        """Save a policy as the run's best, on the grounds of a play-off; returns its snapshot."""
        kept = self._saved(learner, standing, is_choice=True)
        self._let_stand(kept, self._of_round)
        return kept.snapshot

    def save_contender(self, learner: BaseAgent, standing: Standing) -> None:
        """Keep a policy that may be better than the round's best."""
        before = self._contender
        if before is None or standing.metrics.beats(before.metrics):
            self._registry.save(learner, standing.metrics, read_hyperparams(learner))
            self._contender = standing

    def begin_round(self) -> None:
        """Forget the round's best: the next round has a baseline of its own."""
        self._let_stand(self._of_run, None)
        self._contender = None

    def state_dict(self) -> dict[str, Any]:
        """Return both snapshots by their ids, and what they and the contender are held to score."""
        return {
            "of_run": _state(self._of_run),
            "of_round": _state(self._of_round),
            "contender": None if self._contender is None else self._contender.state(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take the snapshots of these ids for the bests, and keep them from being pruned.

        Raises:
            CheckpointNotFoundError: if one of them is not there.
        """
        contender = state["contender"]
        ids = {kept["snapshot_id"] for kept in (state["of_run"], state["of_round"]) if kept}
        for snapshot_id in ids:
            self._registry.pin(snapshot_id)
        self._of_run = self._found(state["of_run"])
        self._of_round = self._found(state["of_round"])
        self._contender = None if contender is None else Standing.from_state(contender)

    def release(self) -> None:
        """Let the registry prune again as it likes; the run is over."""
        for snapshot_id in self._standing_ids():
            self._registry.unpin(snapshot_id)

    def _saved(self, learner: BaseAgent, standing: Standing, *, is_choice: bool) -> _Kept:
        hyperparams = read_hyperparams(learner)
        snapshot = self._registry.save(
            learner, standing.metrics, hyperparams, pin=True, is_choice=is_choice
        )
        return _Kept(snapshot, standing)

    def _found(self, state: Mapping[str, Any] | None) -> _Kept | None:
        if state is None:
            return None
        snapshot = self._registry.find(state["snapshot_id"])
        return _Kept(snapshot, Standing.from_state(state["standing"]))

    def _let_stand(self, of_run: _Kept | None, of_round: _Kept | None) -> None:
        """Let these be the bests, pinned once each; what stands no longer may be pruned."""
        before = self._standing_ids()
        self._of_run, self._of_round = of_run, of_round
        for snapshot_id in before - self._standing_ids():
            self._registry.unpin(snapshot_id)

    def _standing_ids(self) -> set[str]:
        return {kept.snapshot.snapshot_id for kept in (self._of_run, self._of_round) if kept}


def _state(kept: _Kept | None) -> dict[str, Any] | None:
    if kept is None:
        return None
    return {"snapshot_id": kept.snapshot.snapshot_id, "standing": kept.standing.state()}
