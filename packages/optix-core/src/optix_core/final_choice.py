"""Which policy a run hands back: its contenders play off on fresh episodes."""

import logging
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, final

from optix_core.base_agent import BaseAgent
from optix_core.checkpoint_registry import CheckpointRegistry
from optix_core.environment_pipeline import draw_seeds
from optix_core.errors import CheckpointCorruptError, CheckpointNotFoundError
from optix_core.eval_metrics import EvalMetrics
from optix_core.mean_comparison import LEVEL, MIN_EPISODES, MeanEvidence, welch_p
from optix_core.policy_snapshot import PolicySnapshot
from optix_core.standing import Standing, restated
from optix_core.window_judge import WindowJudge

logger = logging.getLogger(__name__)

MAX_CONTENDERS = 8
"""Snapshots that play off at most."""
BUDGET = 120
"""Episodes that the whole play-off takes at most. Among eight snapshots of a run that fell apart
halving with 120 episodes lost 39 to the best of them, ten episodes each 48, the luckiest window
113 (Pendulum, in returns)."""

Play = Callable[[Sequence[PolicySnapshot], Sequence[int]], Sequence[Standing | None]]
"""Lets snapshots play fresh episodes, all on these seeds; None for one that cannot."""


@final
@dataclass(frozen=True, slots=True)
class Contender:
    """A snapshot and what it earned in the play-off."""

    snapshot: PolicySnapshot
    evidence: MeanEvidence
    """Of all its episodes of the play-off."""

    def to_event(self) -> dict[str, Any]:
        """Return it as fields of the journal."""
        return {
            "snapshot": self.snapshot.snapshot_id,
            "score": self.snapshot.eval_metrics.primary_score,
            "fresh_score": self.evidence.mean,
            "fresh_se": self.evidence.se,
            "fresh_episodes": self.evidence.n,
        }

    def standing(self) -> Standing:
        """What it is held to score from here on."""
        fresh = {"n_episodes": self.evidence.n, "score_se": self.evidence.se}
        return restated(
            self.snapshot.eval_metrics, Standing(EvalMetrics(self.evidence.mean, {**fresh}))
        )


@final
class FinalChoice:
    """Lets the best snapshots of a run play off, on seeds used for nothing else."""

    def __init__(
        self, judge: WindowJudge, registry: CheckpointRegistry, *, seed: int, confirm: bool
    ) -> None:
        """Choose among the snapshots of this registry; never with `confirm=False`."""
        self._judge = judge
        self._registry = registry
        self._seed = seed
        self._confirm = confirm

    def play_off(self, best: PolicySnapshot, agent: BaseAgent) -> list[Contender]:
        """Let the agent play as the best and as each of its challengers.

        Args:
            best: of the run; the winner where means are equal.
            agent: is left with any of their policies, seated in the validation pipeline.

        Returns:
            Who was ranked, the winner first. Empty, and nothing played, where the best has no
            challenger or fresh episodes cannot be played; empty too where no score was usable.
        """
        if not self._confirm or not self._judge.can_play_fresh:
            return []
        of_run = (s for s in self._registry.snapshots() if s.run_id == best.run_id)
        contenders = [best, *challengers(best, of_run)]
        if len(contenders) == 1:
            return []
        self._judge.seat(agent)
        return halve(contenders, partial(self._play, agent), draw_seeds(self._seed, BUDGET))

    def _play(
        self, agent: BaseAgent, snapshots: Sequence[PolicySnapshot], seeds: Sequence[int]
    ) -> list[Standing | None]:
        loaded: list[PolicySnapshot] = []

        def policies() -> Iterator[BaseAgent]:
            for snapshot in snapshots:
                if self._load(snapshot, agent):
                    loaded.append(snapshot)
                    yield agent

        standings = self._judge.play_fresh(policies(), seeds)
        fresh = {s.snapshot_id: each for s, each in zip(loaded, standings, strict=True)}
        return [fresh.get(snapshot.snapshot_id) for snapshot in snapshots]

    def _load(self, snapshot: PolicySnapshot, agent: BaseAgent) -> bool:
        try:
            self._registry.load(snapshot, agent)
        except (CheckpointNotFoundError, CheckpointCorruptError) as error:
            logger.warning("%s cannot play off: %s", snapshot.snapshot_id, error)
            return False
        return True


def challengers(best: PolicySnapshot, others: Iterable[PolicySnapshot]) -> list[PolicySnapshot]:
    """Return those that their evidence does not show to be worse than the best, by score.

    At most `MAX_CONTENDERS` − 1: Welch's one-sided test at 0.05 tells who is out.
    """
    holder = MeanEvidence.of(best.eval_metrics)
    if holder is None:
        return []
    known = [
        (evidence.mean, snapshot)
        for snapshot in others
        if snapshot.snapshot_id != best.snapshot_id
        and (evidence := MeanEvidence.of(snapshot.eval_metrics)) is not None
        and welch_p(holder, evidence) >= LEVEL
    ]
    known.sort(key=lambda pair: (-pair[0], -pair[1].sequence))
    return [snapshot for _, snapshot in known[: MAX_CONTENDERS - 1]]


def halve(
    contenders: Sequence[PolicySnapshot], play: Play, seeds: Sequence[int]
) -> list[Contender]:
    """Successive halving: after each rung the better half, by the mean of all episodes so far.

    ⌈log₂ k⌉ rungs share the seeds equally; in a rung all who are left play the same new ones.
    Equal means stay in the order given. Who cannot play is out.

    Args:
        contenders: k of them.
        play: plays fresh episodes.
        seeds: one an episode, for the whole play-off.

    Returns:
        Everybody who played, the winner first, then by how far they came. Empty for fewer than two
        contenders, or where a rung would be shorter than two episodes.

    References:
        Z. Karnin, T. Koren, O. Somekh, Almost optimal exploration in multi-armed bandits, 2013.
    """
    left = [Contender(snapshot, _NOTHING) for snapshot in contenders]
    n_rungs = math.ceil(math.log2(len(left))) if len(left) > 1 else 0
    out: list[Contender] = []
    unused = list(seeds)
    for _ in range(n_rungs):
        n_episodes = len(seeds) // n_rungs // len(left) if left else 0
        if len(left) == 1 or n_episodes < MIN_EPISODES:
            break
        rung, unused = unused[:n_episodes], unused[n_episodes:]
        left = _ranked(_after_rung(left, play([each.snapshot for each in left], rung)))
        half = math.ceil(len(left) / 2)
        left, out = left[:half], [*left[half:], *out]
    return [each for each in (*left, *out) if each.evidence.n]


_NOTHING = MeanEvidence(0.0, 0.0, 0)


def _after_rung(
    contenders: Sequence[Contender], standings: Sequence[Standing | None]
) -> list[Contender]:
    return [
        Contender(contender.snapshot, pooled(contender.evidence, evidence))
        for contender, fresh in zip(contenders, standings, strict=True)
        if fresh is not None and (evidence := fresh.evidence) is not None
    ]


def _ranked(contenders: list[Contender]) -> list[Contender]:
    return sorted(contenders, key=lambda contender: -contender.evidence.mean)


def pooled(one: MeanEvidence, other: MeanEvidence) -> MeanEvidence:
    """Evidence of two samples as one: exact where a mean is that of returns.

    N = n₁ + n₂, m = Σ nᵢmᵢ/N, se² = Σ (nᵢ(nᵢ − 1)seᵢ² + nᵢ(mᵢ − m)²) / (N(N − 1)).
    """
    if one.n == 0:
        return other
    n = one.n + other.n
    mean = one.mean + (other.mean - one.mean) * other.n / n
    squares = (
        [math.sqrt(e.n * (e.n - 1)) * e.se, math.sqrt(e.n) * (e.mean - mean)] for e in (one, other)
    )
    spread = math.hypot(*(term for terms in squares for term in terms))
    return MeanEvidence(mean, spread / math.sqrt(n * (n - 1)), n)
