"""How an ensemble acts: what its members would do, combined by their weights."""

from collections.abc import Mapping
from typing import Any, cast, final

import numpy as np
from numpy.typing import NDArray

from optix_core import BaseAgent
from optix_core.abilities import ActsGreedily, supports
from optix_core.errors import ConfigurationError, ContractViolationError
from optix_evolve.action_arithmetic import MemberWeights, weighted_mean
from optix_evolve.action_combination import ActionCombiner
from optix_evolve.ensemble import Ensemble
from optix_evolve.member_calls import Question
from optix_evolve.member_inference import MemberInference


@final
class EnsemblePolicy:
    """Combines members' actions; members of weight 0 are not asked.

    Where every member offers probabilities of discrete actions (`HasActionDistribution`), each
    votes greedily for the action that it holds most probable, and the mean of the probabilities
    decides between equals; exploring draws from that mean. Otherwise members act and
    `ActionCombiner` combines. Members of one structure
    are asked in one forward pass (`MemberInference`), single observations as a batch of one;
    observations that are mappings or tuples in a loop.

    Args of the constructor:
        ensemble: members and weights, read at every action.
        action_space: anything with Gymnasium's attributes; None reads the kind from the actions.

    Raises:
        ConfigurationError: for a space of no known kind.
    """

    def __init__(self, ensemble: Ensemble, action_space: object | None = None) -> None:
        self._ensemble = ensemble
        self._combiner = ActionCombiner(action_space)
        self._voters: list[BaseAgent] = []
        self._inference = MemberInference([])
        self._offers_probabilities = False
        self._last_weights: list[float] = []
        self._weights = MemberWeights([1.0])

    def greedy(self, observation: Any) -> Any:
        """The combined action for one observation, without exploration where members can."""
        if _has_parts(observation):
            return self._in_a_loop(observation, is_greedy=True)
        return _only(self.greedy_batch(np.asarray(observation)[np.newaxis]))

    def greedy_batch(self, observations: NDArray[Any]) -> Any:
        """The combined actions [B, ...] for observations [B, ...], as `greedy` one by one."""
        offered = self._offered(observations)
        if offered is not None:
            return self._combiner.combine_probabilities(offered, self._weights)
        return self._combined(Question.GREEDY, observations)

    def explore(self, observation: Any, rng: np.random.Generator) -> Any:
        """An action for one observation, with the members' own exploration."""
        if _has_parts(observation):
            return self._in_a_loop(observation, is_greedy=False)
        return _only(self.explore_batch(np.asarray(observation)[np.newaxis], rng))

    def explore_batch(self, observations: NDArray[Any], rng: np.random.Generator) -> Any:
        """Actions [B, ...] for observations [B, ...], as `explore` one by one."""
        probabilities = self.probabilities(observations)
        if probabilities is not None:
            return _draw(probabilities, rng) + self._combiner.start
        return self._combined(Question.EXPLORING, observations)

    def probabilities(self, observations: NDArray[Any]) -> NDArray[np.float64] | None:
        """Weighted mean of the members' action probabilities [B, K].

        None where a member offers none, or a mean and a deviation instead.

        Raises:
            ContractViolationError: if members have different numbers of actions.
        """
        offered = self._offered(observations)
        return None if offered is None else weighted_mean(offered, self._weights).astype(np.float64)

    def _offered(self, observations: NDArray[Any]) -> NDArray[Any] | None:
        """The members' action probabilities, one member a row [N, B, K]; None as `probabilities`.

        Raises:
            ContractViolationError: if members have different numbers of actions.
        """
        self._look_at_members()
        if not self._offers_probabilities:
            return None
        offered = self._inference.ask(Question.DISTRIBUTION, observations)
        if isinstance(offered, np.ndarray):
            return cast("NDArray[Any]", offered)
        if any(isinstance(each, tuple) for each in offered) or isinstance(offered, tuple):
            self._offers_probabilities = False
            return None
        shapes = sorted({np.shape(each) for each in offered})
        raise ContractViolationError(
            f"members give probabilities of shapes {shapes}; let all choose among the same actions"
        )

    def disagreement(self, observations: NDArray[Any]) -> float:
        """How far members' greedy actions lie apart, on average over observations [B, ...].

        Discrete actions: the weight share of members that choose another action than the
        ensemble. Real-valued actions: the weighted standard deviation between members, averaged
        over components. 0.0 for one member or none, and for actions that are neither.
        """
        self._look_at_members()
        if len(self._voters) < 2 or not len(observations):  # noqa: PLR2004 - one never disagrees
            return 0.0
        actions = self._inference.ask(Question.GREEDY, observations)
        if not isinstance(actions, np.ndarray):
            return 0.0
        # A copy: asking for the ensemble's own choice may overwrite what members answered.
        stacked = np.array(cast("NDArray[Any]", actions))
        if stacked.dtype.kind not in "iubf":
            return 0.0
        shares = self._weights.shares
        if stacked.dtype.kind == "f":
            mean = np.tensordot(shares, stacked, axes=1)
            variance = np.tensordot(shares, (stacked - mean) ** 2, axes=1)
            return float(np.sqrt(variance).mean())
        if self._offers_probabilities:
            chosen = np.asarray(self.greedy_batch(observations))
        else:
            chosen = np.asarray(self._combiner.combine(list(stacked), self._weights))
        return float(np.tensordot(shares, stacked != chosen, axes=1).mean())

    def _combined(self, question: Question, observations: NDArray[Any]) -> Any:
        answers = self._inference.ask(question, observations)
        return self._combiner.combine(list(answers), self._weights)

    def _in_a_loop(self, observation: Any, *, is_greedy: bool) -> Any:
        self._look_at_members()
        actions = [
            agent.act_greedy(observation)
            if is_greedy and supports(agent, ActsGreedily)
            else agent.act(observation)
            for agent in self._voters
        ]
        return self._combiner.combine(actions, self._weights)

    def _look_at_members(self) -> None:
        """Read who votes with what weight; a stack is made anew only for other voters."""
        members = [member for member in self._ensemble.population if member.weight > 0.0]
        if not members:
            raise ConfigurationError(
                "an ensemble without members of positive weight cannot act; add_agent one"
            )
        weights = [member.weight for member in members]
        if weights != self._last_weights:
            self._last_weights, self._weights = weights, MemberWeights(weights)
        if len(members) != len(self._voters) or any(
            member.agent is not voter for member, voter in zip(members, self._voters, strict=True)
        ):
            self._voters = [member.agent for member in members]
            self._inference = MemberInference(self._voters)
            self._offers_probabilities = self._inference.can_answer(Question.DISTRIBUTION)


def _has_parts(observation: object) -> bool:
    return isinstance(observation, Mapping | tuple)


def _only(actions: Any) -> Any:
    """The action of a batch of one; numbers as Python's own."""
    if isinstance(actions, Mapping):
        parts = cast("Mapping[Any, Any]", actions)
        return {key: _only(part) for key, part in parts.items()}
    if isinstance(actions, tuple):
        return tuple(_only(part) for part in cast("tuple[Any, ...]", actions))
    action = actions[0]
    return action if np.ndim(action) else action.item()


def _draw(probabilities: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int64]:
    cumulative = probabilities.cumsum(axis=-1)
    thresholds = rng.random(len(probabilities)) * cumulative[:, -1]
    drawn = (thresholds[:, np.newaxis] >= cumulative).sum(axis=-1)
    return np.minimum(drawn, probabilities.shape[-1] - 1)
