"""How an ensemble acts: what its members would do, combined by their weights."""

from collections.abc import Callable
from typing import Any, cast, final

import numpy as np
from numpy.typing import NDArray

from optix_core import BaseAgent
from optix_core.abilities import (
    ActsGreedily,
    ActsGreedilyInBatch,
    ActsInBatch,
    HasActionDistribution,
    supports,
)
from optix_core.errors import ConfigurationError
from optix_evolve.action_arithmetic import weighted_mean
from optix_evolve.action_combination import ActionCombiner
from optix_evolve.ensemble import Ensemble


@final
class EnsemblePolicy:
    """Combines members' actions; members of weight 0 are not asked.

    Where every member offers probabilities of discrete actions (`HasActionDistribution`), their
    weighted mean decides: greedily by its maximum, the lowest action of equals; exploring by a
    draw from it. Otherwise members act one by one and `ActionCombiner` combines.

    Args of the constructor:
        ensemble: members and weights, read at every action.
        action_space: anything with Gymnasium's attributes; None reads the kind from the actions.

    Raises:
        ConfigurationError: for a space of no known kind.
    """

    def __init__(self, ensemble: Ensemble, action_space: object | None = None) -> None:
        self._ensemble = ensemble
        self._combiner = ActionCombiner(action_space)

    def greedy(self, observation: Any) -> Any:
        """The combined action for one observation, without exploration where members can."""
        probabilities = self.probabilities(np.asarray(observation)[np.newaxis])
        if probabilities is not None:
            return self._most_probable(probabilities)[0].item()
        return self._combine(lambda agent: _greedy_of(agent)(observation))

    def greedy_batch(self, observations: NDArray[Any]) -> Any:
        """The combined actions [B, ...] for observations [B, ...], as `greedy` one by one."""
        probabilities = self.probabilities(observations)
        if probabilities is not None:
            return self._most_probable(probabilities)
        return self._combine(lambda agent: _greedy_batch_of(agent, observations))

    def explore(self, observation: Any, rng: np.random.Generator) -> Any:
        """An action for one observation, with the members' own exploration."""
        probabilities = self.probabilities(np.asarray(observation)[np.newaxis])
        if probabilities is not None:
            return int(_draw(probabilities, rng)[0]) + self._offset
        return self._combine(lambda agent: agent.act(observation))

    def explore_batch(self, observations: NDArray[Any], rng: np.random.Generator) -> Any:
        """Actions [B, ...] for observations [B, ...], as `explore` one by one."""
        probabilities = self.probabilities(observations)
        if probabilities is not None:
            return _draw(probabilities, rng) + self._offset
        return self._combine(lambda agent: _batch_of(agent, observations))

    def probabilities(self, observations: NDArray[Any]) -> NDArray[np.float64] | None:
        """Weighted mean of the members' action probabilities [B, K].

        None where a member offers none, or a mean and a deviation instead.
        """
        agents, weights = self._voters()
        gathered: list[NDArray[Any]] = []
        for agent in agents:
            if not supports(agent, HasActionDistribution):
                return None
            offered = agent.action_distribution(observations)
            if isinstance(offered, tuple):
                return None
            gathered.append(offered)
        mean = weighted_mean(np.stack(gathered), weights)
        return mean.astype(np.float64, copy=False)

    def disagreement(self, observations: NDArray[Any]) -> float:
        """How far members' greedy actions lie apart, on average over observations [B, ...].

        Discrete actions: the weight share of members that choose another action than the
        ensemble. Real-valued actions: the weighted standard deviation between members, averaged
        over components. 0.0 for one member or none, and for actions that are neither.
        """
        agents, weights = self._voters()
        if len(agents) < 2 or not len(observations):  # noqa: PLR2004 - one never disagrees
            return 0.0
        actions = [np.asarray(_greedy_batch_of(agent, observations)) for agent in agents]
        if any(action.dtype.kind not in "iubf" for action in actions):
            return 0.0
        stacked = np.stack(actions)
        shares = weights / weights.sum()
        if stacked.dtype.kind == "f":
            mean = np.tensordot(shares, stacked, axes=1)
            variance = np.tensordot(shares, (stacked - mean) ** 2, axes=1)
            return float(np.sqrt(variance).mean())
        chosen = np.asarray(self.greedy_batch(observations))
        return float(np.tensordot(shares, stacked != chosen, axes=1).mean())

    def _combine(self, act: Callable[[BaseAgent], Any]) -> Any:
        agents, weights = self._voters()
        return self._combiner.combine([act(agent) for agent in agents], weights)

    def _voters(self) -> tuple[list[BaseAgent], NDArray[np.float64]]:
        members = [member for member in self._ensemble.population if member.weight > 0.0]
        if not members:
            raise ConfigurationError(
                "an ensemble without members of positive weight cannot act; add_agent one"
            )
        agents = [cast("BaseAgent", member.agent) for member in members]
        return agents, np.array([member.weight for member in members])

    def _most_probable(self, probabilities: NDArray[np.float64]) -> NDArray[np.int64]:
        return self._combiner.combine_probabilities(probabilities[np.newaxis], [1.0])

    @property
    def _offset(self) -> int:
        return self._combiner.start


def _greedy_of(agent: BaseAgent) -> Callable[[Any], Any]:
    return agent.act_greedy if supports(agent, ActsGreedily) else agent.act


def _batch_of(agent: BaseAgent, observations: NDArray[Any]) -> Any:
    if supports(agent, ActsInBatch):
        return agent.act_batch(observations)
    return np.stack([np.asarray(agent.act(observation)) for observation in observations])


def _greedy_batch_of(agent: BaseAgent, observations: NDArray[Any]) -> Any:
    if supports(agent, ActsGreedilyInBatch):
        return agent.act_greedy_batch(observations)
    act = _greedy_of(agent)
    return np.stack([np.asarray(act(observation)) for observation in observations])


def _draw(probabilities: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int64]:
    cumulative = probabilities.cumsum(axis=-1)
    thresholds = rng.random(len(probabilities)) * cumulative[:, -1]
    drawn = (thresholds[:, np.newaxis] >= cumulative).sum(axis=-1)
    return np.minimum(drawn, probabilities.shape[-1] - 1)
