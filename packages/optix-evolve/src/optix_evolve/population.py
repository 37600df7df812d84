"""The members of an ensemble: who they are, where they come from, what they weigh."""

import math
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, final, overload

from optix_core.errors import ConfigurationError
from optix_evolve.adaptive_noise import NoiseSignals
from optix_evolve.score_weights import mean_score, weights_from_scores

MANUAL_BOOST = "manual"
"""Name of the boost that a caller gives without naming one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """Where a variant comes from."""

    parent_id: int | None = None
    """Member that the variant was cloned from, if it was one."""
    parent_snapshot_id: str | None = None
    """Snapshot whose weights the variant began with."""
    parent_score: float | None = None
    """Score of that snapshot."""
    perturbation: Mapping[str, tuple[Any, Any]] = field(default_factory=dict[str, tuple[Any, Any]])
    """Old and new value of each hyperparameter that was changed."""
    noise: NoiseSignals | None = None
    """What the strength of the perturbation was computed from."""
    round_index: int = 0
    """Round that the variant was made for; 0 is the first run."""

    def __post_init__(self) -> None:
        """Keep a copy of the perturbation."""
        object.__setattr__(self, "perturbation", dict(self.perturbation))

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> "Lineage":
        """Make the lineage that `asdict` took apart."""
        fields: dict[str, Any] = dict(state)
        noise = fields.pop("noise")
        return cls(**fields, noise=None if noise is None else NoiseSignals(**noise))


@final
class Member:
    """A policy in the ensemble with its weight and its recent scores.

    `weight = base_weight × Π boosts`. Rebalancing sets the base weight, so boosts survive it.
    """

    __slots__ = ("_boosts", "_scores", "agent", "base_weight", "lineage", "member_id")

    def __init__(
        self, member_id: int, agent: Any, *, base_weight: float, lineage: Lineage, score_window: int
    ) -> None:
        self.member_id = member_id
        """Opaque, never used again; positions change when members are pruned."""
        self.agent = agent
        self.base_weight = base_weight
        self.lineage = lineage
        self._boosts: dict[str, float] = {}
        self._scores: deque[float] = deque(maxlen=score_window)

    @property
    def weight(self) -> float:
        """What the member counts when actions are combined."""
        return self.base_weight * math.prod(self._boosts.values())

    @property
    def boosts(self) -> Mapping[str, float]:
        """Factors in force, by name."""
        return dict(self._boosts)

    @property
    def recent_scores(self) -> tuple[float, ...]:
        """The rolling window of finite scores, oldest first."""
        return tuple(self._scores)

    @property
    def mean_score(self) -> float | None:
        """Mean of the recent scores; None before the first."""
        return mean_score(self._scores) if self._scores else None

    def record(self, score: float) -> None:
        """Add a score; one that is not finite measured nothing and is left out."""
        if math.isfinite(score):
            self._scores.append(float(score))

    def boost(self, factor: float, name: str | None = None) -> None:
        """Multiply the weight until told otherwise.

        Args:
            factor: positive and finite.
            name: replaces the boost of this name, 1.0 ends it. Without a name factors multiply.
        """
        if not (math.isfinite(factor) and factor > 0):
            raise ConfigurationError(f"a boost must be positive and finite, got {factor}")
        if name is None:
            self._boosts[MANUAL_BOOST] = self._boosts.get(MANUAL_BOOST, 1.0) * factor
        elif factor == 1.0:
            self._boosts.pop(name, None)
        else:
            self._boosts[name] = factor

    def state_dict(self) -> dict[str, Any]:
        """Return everything but the agent."""
        return {
            "member_id": self.member_id,
            "base_weight": self.base_weight,
            "lineage": asdict(self.lineage),
            "boosts": dict(self._boosts),
            "scores": list(self._scores),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any], agent: Any, *, score_window: int) -> "Member":
        """Make the member that `state_dict` told of, with this agent."""
        member = cls(
            state["member_id"],
            agent,
            base_weight=state["base_weight"],
            lineage=Lineage.from_dict(state["lineage"]),
            score_window=score_window,
        )
        member._boosts = dict(state["boosts"])
        member._scores.extend(state["scores"])
        return member


@final
class Population(Sequence[Member]):
    """The members of an ensemble, in the order in which they came.

    Args:
        score_window: scores kept of each member.

    Raises:
        ConfigurationError: if score_window is below 1.
    """

    def __init__(self, score_window: int = 10) -> None:
        if score_window < 1:
            raise ConfigurationError(f"score_window must be at least 1, got {score_window}")
        self._score_window = score_window
        self._members: list[Member] = []
        self._next_id = 0

    def __len__(self) -> int:
        """Number of members."""
        return len(self._members)

    def __iter__(self) -> Iterator[Member]:
        """Members, oldest first."""
        return iter(tuple(self._members))

    @overload
    def __getitem__(self, index: int) -> Member: ...
    @overload
    def __getitem__(self, index: slice) -> list[Member]: ...
    def __getitem__(self, index: int | slice) -> Member | list[Member]:
        """Return the member at a position."""
        return self._members[index]

    @property
    def weights(self) -> tuple[float, ...]:
        """Weight of each member, boosts included."""
        return tuple(member.weight for member in self._members)

    def position_of(self, agent: object) -> int | None:
        """Position of the member with this very agent; None if there is none."""
        for position, member in enumerate(self._members):
            if member.agent is agent:
                return position
        return None

    def add(
        self, agent: Any, *, weight: float | None = None, lineage: Lineage | None = None
    ) -> Member:
        """Add a member at the end.

        Args:
            agent: the policy; an agent can be a member once.
            weight: None for the mean of the others' base weights (1.0 for the first), so that a
                newcomer counts as much as one of them, whatever their scale.
            lineage: where it comes from.

        Raises:
            ConfigurationError: for a weight that is negative or not finite, or an agent that is a
                member already.
        """
        base_weight = self._scale() if weight is None else float(weight)
        if not (math.isfinite(base_weight) and base_weight >= 0):
            raise ConfigurationError(f"a weight must be finite and not negative, got {weight}")
        if self.position_of(agent) is not None:
            raise ConfigurationError(f"this agent is member {self.position_of(agent)} already")
        member = Member(
            self._next_id,
            agent,
            base_weight=base_weight,
            lineage=lineage or Lineage(),
            score_window=self._score_window,
        )
        self._next_id += 1
        self._members.append(member)
        return member

    def rebalance(self, *, keep: Collection[int] = ()) -> None:
        """Let base weights follow the recent scores, by the rule of `weights_from_scores`.

        The mean base weight stays what it was. Members without a score keep their weight, and so
        do those at the positions `keep`, whose round has not ended. Boosts stay in force.
        """
        scored = [
            member
            for position, member in enumerate(self._members)
            if member.recent_scores and position not in keep
        ]
        scale = self._scale()
        shares = weights_from_scores([member.recent_scores for member in scored])
        for member, share in zip(scored, shares, strict=True):
            member.base_weight = scale * share

    def weigh_alike(self, positions: Collection[int]) -> None:
        """Give the members at these positions the mean base weight of before, all others 0."""
        scale = self._scale()
        for position, member in enumerate(self._members):
            member.base_weight = scale if position in positions else 0.0

    def best_scored(self) -> int | None:
        """Position of the member with the highest mean score, the oldest of several."""
        best: int | None = None
        highest = -math.inf
        for position, member in enumerate(self._members):
            mean = member.mean_score
            if mean is not None and (best is None or mean > highest):
                best, highest = position, mean
        return best

    def weakest(self, count: int, *, keep: Collection[int] = ()) -> list[int]:
        """Positions to prune: those of the lowest weights, of equal weights the newest.

        Never the best-scored member, the positions `keep` (the learner), or the last member.

        Args:
            count: how many; fewer are returned where no more may go.
            keep: positions that stay.

        Raises:
            ConfigurationError: if count is negative.
        """
        if count < 0:
            raise ConfigurationError(f"cannot prune {count} members; give 0 or more")
        protected = {self.best_scored(), *keep}
        candidates = [i for i in range(len(self._members)) if i not in protected]
        candidates.sort(key=lambda position: (self._members[position].weight, -position))
        return candidates[: min(count, len(self._members) - 1)]

    def remove(self, positions: Collection[int]) -> dict[int, int]:
        """Remove members; the others keep their order, scores, boosts and ids.

        Returns:
            New position by old one, of the members that stay.

        Raises:
            ConfigurationError: for a position that is not there.
        """
        unknown = set(positions) - set(range(len(self._members)))
        if unknown:
            raise ConfigurationError(
                f"no members at {sorted(unknown)}; there are {len(self._members)}"
            )
        staying = [i for i in range(len(self._members)) if i not in positions]
        self._members = [self._members[i] for i in staying]
        return {old: new for new, old in enumerate(staying)}

    def state_dict(self) -> dict[str, Any]:
        """Return the members without their agents."""
        return {
            "next_id": self._next_id,
            "members": [member.state_dict() for member in self._members],
        }

    def restore(self, state: Mapping[str, Any], agents: Mapping[int, Any]) -> None:
        """Take back the members that `state_dict` told of, with these agents by id."""
        self._next_id = state["next_id"]
        self._members = [
            Member.from_state(member, agents[member["member_id"]], score_window=self._score_window)
            for member in state["members"]
        ]

    def _scale(self) -> float:
        weights = [member.base_weight for member in self._members if member.base_weight > 0]
        return mean_score(weights) if weights else 1.0
