"""An ensemble's books: its members, their weights, and how many spawns are left."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol, final

from optix_core import BaseAgent
from optix_core.errors import ConfigurationError
from optix_evolve.population import Lineage, Member, Population
from optix_evolve.training_report import member_status


@final
class Ensemble:
    """Members, weights, and a budget of spawns. It decides nothing by itself.

    Args of the constructor:
        score_window: scores kept of each member, at least 1.
        max_spawns: variants to spawn at most; None for no limit.
        max_ensemble_size: members beyond which the weakest are pruned; None for no limit.

    Raises:
        ConfigurationError: if a number is out of its range.
    """

    def __init__(
        self,
        score_window: int = 10,
        max_spawns: int | None = None,
        max_ensemble_size: int | None = None,
    ) -> None:
        if max_spawns is not None and max_spawns < 0:
            raise ConfigurationError(f"max_spawns cannot be negative, got {max_spawns}")
        if max_ensemble_size is not None and max_ensemble_size < 1:
            raise ConfigurationError(
                f"max_ensemble_size must be at least 1, got {max_ensemble_size}"
            )
        self.population = Population(score_window)
        self._max_spawns = max_spawns
        self._max_ensemble_size = max_ensemble_size
        self._spawn_count = 0
        self._prune_count = 0
        self.regime: str | None = None
        """The market or score regime, as last set."""
        self.learner: BaseAgent | None = None
        """The agent that a run trains at the moment; it is never pruned."""
        self._in_training: set[int] = set()

    @property
    def spawn_count(self) -> int:
        """Variants spawned so far."""
        return self._spawn_count

    @property
    def prune_count(self) -> int:
        """Members pruned so far."""
        return self._prune_count

    @property
    def is_budget_exhausted(self) -> bool:
        """Whether no spawn is left; never without a limit."""
        return self._max_spawns is not None and self._spawn_count >= self._max_spawns

    @property
    def agents(self) -> list[BaseAgent]:
        """The members' agents, in their order."""
        return [member.agent for member in self.population]

    def add_agent(
        self,
        agent: BaseAgent,
        weight: float | None = None,
        *,
        lineage: Lineage | None = None,
    ) -> int:
        """Add a member at the end.

        Args:
            agent: the policy; one agent is one member.
            weight: what it counts; None puts it on the scale of the others.
            lineage: where it comes from.

        Returns:
            Its position.

        Raises:
            ConfigurationError: for a weight that is negative or not finite, or a member again.
        """
        self.population.add(agent, weight=weight, lineage=lineage)
        return len(self.population) - 1

    def add_variant(self, agent: BaseAgent, lineage: Lineage) -> int:
        """Count a spawn and add its variant with weight 0, until `finish_training`."""
        position = self.add_agent(agent, 0.0, lineage=lineage)
        self._in_training.add(self.population[position].member_id)
        self._spawn_count += 1
        return position

    def finish_training(self, agent: BaseAgent) -> None:
        """Let a variant's weight follow its scores from here on."""
        position = self.population.position_of(agent)
        if position is not None:
            self._in_training.discard(self.population[position].member_id)

    def replace_agent(self, old: BaseAgent, new: BaseAgent) -> None:
        """Let another object stand for a member, its weight, scores and lineage unchanged."""
        position = self.population.position_of(old)
        if position is not None:
            self.population[position].agent = new

    def record_agent_score(self, index: int, score: float) -> None:
        """Add a score to a member's rolling window; one that is not finite is left out.

        Raises:
            ConfigurationError: if there is no member at this position.
        """
        self._member(index).record(score)

    def auto_update_weights(self) -> None:
        """Let weights follow the rolling mean scores; boosts survive.

        Members without a score, and variants whose round goes on, keep their weight.
        """
        keep = [i for i, m in enumerate(self.population) if m.member_id in self._in_training]
        self.population.rebalance(keep=keep)

    def choose(self, positions: Collection[int]) -> None:
        """Let these members alone act, alike but for their boosts; the others weigh 0 and stay.

        It holds until weights follow the scores again.
        """
        self.population.weigh_alike(positions)

    def prune(self, bottom_k: int = 1, *, keep: Sequence[BaseAgent] = ()) -> list[int]:
        """Remove the members of the lowest weights.

        Never the best-scored one, the learner, the last one, or the agents in `keep`.

        Returns:
            The positions that they had, in the order of removal.

        Raises:
            ConfigurationError: if bottom_k is negative.
        """
        kept = [self.population.position_of(agent) for agent in (*keep, self.learner)]
        doomed = self.population.weakest(bottom_k, keep=[i for i in kept if i is not None])
        self.population.remove(doomed)
        self._prune_count += len(doomed)
        return doomed

    def prune_excess(self, *, keep: Sequence[BaseAgent] = ()) -> list[int]:
        """Prune down to `max_ensemble_size`, after weights were brought up to date."""
        if self._max_ensemble_size is None:
            return []
        excess = len(self.population) - self._max_ensemble_size
        if excess <= 0:
            return []
        self.auto_update_weights()
        return self.prune(excess, keep=keep)

    def boost(self, agent: BaseAgent, factor: float = 2.0, *, name: str | None = None) -> None:
        """Multiply a member's weight; the others count for less in proportion.

        Args:
            agent: the member.
            factor: positive and finite.
            name: replaces the boost of this name; without a name factors multiply.

        Raises:
            ConfigurationError: if the agent is no member, or the factor out of range.
        """
        position = self.population.position_of(agent)
        if position is None:
            raise ConfigurationError(
                f"{type(agent).__name__} is no member of this ensemble; add_agent it first"
            )
        self.population[position].boost(factor, name)

    def status(self) -> dict[str, Any]:
        """Describe the ensemble in JSON types.

        Keys: `ensemble_size`, `agents` (each `index`, `weight`, `mean_score`, `recent_scores`,
        `lineage`), `regime`, `spawn_count`, `prune_count`, `max_spawns`, `spawns_remaining` (None
        without a limit), `budget_exhausted`.
        """
        limit = self._max_spawns
        return {
            "ensemble_size": len(self.population),
            "agents": [member_status(i, member) for i, member in enumerate(self.population)],
            "regime": self.regime,
            "spawn_count": self._spawn_count,
            "prune_count": self._prune_count,
            "max_spawns": limit,
            "spawns_remaining": None if limit is None else max(0, limit - self._spawn_count),
            "budget_exhausted": self.is_budget_exhausted,
        }

    def state_dict(self) -> dict[str, Any]:
        """Return the books without the agents."""
        return {
            "population": self.population.state_dict(),
            "spawn_count": self._spawn_count,
            "prune_count": self._prune_count,
            "regime": self.regime,
            "in_training": sorted(self._in_training),
        }

    def restore(self, state: Mapping[str, Any], agents: Mapping[int, BaseAgent]) -> None:
        """Take back what `state_dict` told of, with these agents by the members' ids."""
        self.population.restore(state["population"], agents)
        self._spawn_count, self._prune_count = state["spawn_count"], state["prune_count"]
        self.regime = state["regime"]
        self._in_training = set(state["in_training"])

    def _member(self, index: int) -> Member:
        if not 0 <= index < len(self.population):
            raise ConfigurationError(
                f"there is no member {index}; there are {len(self.population)}, from 0"
            )
        return self.population[index]


class HasEnsemble(Protocol):
    """Whoever keeps the books of an ensemble, as `PolicyManager` does."""

    @property
    def ensemble(self) -> Ensemble:
        """Members and weights."""
        ...
