"""An ensemble that is an agent: it acts as one, learns through one, is saved as one."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, final

import msgspec
import numpy as np
from numpy.typing import NDArray

from optix_core import BaseAgent, EpisodeData, HyperparamSet
from optix_core.abilities import HasState, supports
from optix_core.errors import CheckpointCorruptError, CheckpointError, ConfigurationError
from optix_core.generator_state import generator_from_state, generator_state
from optix_evolve.ensemble import HasEnsemble
from optix_evolve.ensemble_policy import EnsemblePolicy
from optix_evolve.population import Member

_INDEX = "ensemble.json"
_SAMPLE = 64
"""Observations of a window that members' disagreement is measured on."""


class _Index(msgspec.Struct, forbid_unknown_fields=True):
    schema_version: int
    member_ids: list[int]
    weights: list[float]


@final
class EnsembleAgent(BaseAgent):
    """The members of a manager as one agent; combination as in `EnsemblePolicy`.

    It learns through its primary agent alone, whose hyperparameters are its own; the other
    members act with the weights they have. `save_weights` writes every member and its weight,
    `load_weights` reads them back into an ensemble of as many members of the same structure, or
    into those of its own members that were not pruned since.

    Args of the constructor:
        policy_manager: whose members act, by their weights of the moment.
        primary_agent: the one that learns.
        action_space: anything with Gymnasium's attributes; None reads the kind from the actions.
        seed: of the draws from mixtures; None for a fresh generator.

    Raises:
        ConfigurationError: for an action space of no known kind.
    """

    def __init__(
        self,
        policy_manager: HasEnsemble,
        primary_agent: BaseAgent,
        action_space: object | None = None,
        *,
        seed: int | None = None,
    ) -> None:
        self._manager = policy_manager
        self._primary = primary_agent
        self._policy = EnsemblePolicy(policy_manager.ensemble, action_space)
        self._rng = np.random.default_rng(seed)

    @property
    def primary_agent(self) -> BaseAgent:
        """The agent that learns."""
        return self._primary

    def act(self, observation: Any) -> Any:
        """Combine the members' exploring actions."""
        return self._policy.explore(observation, self._rng)

    def act_batch(self, observations: NDArray[Any]) -> Any:
        """Combine the members' exploring actions for observations [B, ...]."""
        return self._policy.explore_batch(observations, self._rng)

    def act_greedy(self, observation: Any) -> Any:
        """Combine the members' greedy actions."""
        return self._policy.greedy(observation)

    def act_greedy_batch(self, observations: NDArray[Any]) -> Any:
        """Combine the members' greedy actions for observations [B, ...]."""
        return self._policy.greedy_batch(observations)

    def learn(self, episode_data: EpisodeData) -> dict[str, Any]:
        """Let the primary agent learn.

        Returns:
            Its diagnostics, and `disagreement` of the members on a sample of the window.
        """
        disagreement = self.disagreement(episode_data)
        return {**self._primary.learn(episode_data), "disagreement": disagreement}

    def disagreement(self, episode_data: EpisodeData) -> float:
        """How far the members' greedy actions lie apart, on a sample of a window.

        Discrete actions: the weight share of members that choose another action than the ensemble,
        in [0, 1]. Real actions: the weighted standard deviation between members, in units of the
        action. 0.0 for one member, and for actions that are neither.
        """
        observations = episode_data.observations
        rows = observations.reshape(-1, *observations.shape[episode_data.rewards.ndim :])
        sample = rows[:: max(1, len(rows) // _SAMPLE)][:_SAMPLE]
        return self._policy.disagreement(sample)

    def get_hyperparams(self) -> HyperparamSet:
        """Return the primary agent's."""
        return self._primary.get_hyperparams()

    def set_hyperparams(self, hp: HyperparamSet) -> None:
        """Set the primary agent's."""
        self._primary.set_hyperparams(hp)

    def save_weights(self, path: str) -> None:
        """Write every member into a folder of its own, and the members' weights.

        Raises:
            ConfigurationError: if there are no members.
        """
        members = list(self._manager.ensemble.population)
        if not members:
            raise ConfigurationError("an ensemble without members has nothing to save")
        folder = Path(path)
        folder.mkdir(mode=0o700)
        for index, member in enumerate(members):
            place = folder / f"member-{index}"
            place.mkdir(mode=0o700)
            member.agent.save_weights(os.fspath(place / "weights"))
        index_data = _Index(
            schema_version=1,
            member_ids=[member.member_id for member in members],
            weights=[member.base_weight for member in members],
        )
        (folder / _INDEX).write_bytes(msgspec.json.encode(index_data))

    def load_weights(self, path: str) -> None:
        """Read what `save_weights` wrote.

        Members are matched by position; once some were pruned from this ensemble, those that are
        left by who they are, and what was saved of the others is left out.

        Raises:
            CheckpointError: if it holds another number of members, or not those that are left.
            CheckpointCorruptError: if its index is damaged.
        """
        folder = Path(path)
        index = _read_index(folder)
        members = list(self._manager.ensemble.population)
        was_pruned = self._manager.ensemble.prune_count > 0
        places = _places_by_id(members, index) if was_pruned else _places(members, index)
        for member, place in zip(members, places, strict=True):
            member.agent.load_weights(os.fspath(folder / f"member-{place}" / "weights"))
            member.base_weight = index.weights[place]

    def state_dict(self) -> dict[str, Any]:
        """Return the generator's state and that of members that have one, by position."""
        agents = self._manager.ensemble.agents
        states = {str(i): a.state_dict() for i, a in enumerate(agents) if supports(a, HasState)}
        return {"rng": generator_state(self._rng), "members": states}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put back what `state_dict` returned."""
        self._rng = generator_from_state(state["rng"])
        agents = self._manager.ensemble.agents
        for position, member_state in state["members"].items():
            agent = agents[int(position)]
            if supports(agent, HasState):
                agent.load_state_dict(member_state)


def _places(members: Sequence[Member], index: _Index) -> Sequence[int]:
    if len(index.weights) != len(members):
        raise CheckpointError(
            f"the checkpoint holds {len(index.weights)} members, this ensemble has {len(members)}; "
            "add or remove agents so that there are as many"
        )
    return range(len(members))


def _places_by_id(members: Sequence[Member], index: _Index) -> Sequence[int]:
    places = {member_id: place for place, member_id in enumerate(index.member_ids)}
    newcomers = [i for i, member in enumerate(members) if member.member_id not in places]
    if newcomers:
        raise CheckpointError(
            f"the checkpoint holds nothing of the members at {newcomers}, which joined later; "
            "remove them, or load a later one"
        )
    return [places[member.member_id] for member in members]


def _read_index(folder: Path) -> _Index:
    place = folder / _INDEX
    try:
        index = msgspec.json.decode(place.read_bytes(), type=_Index)
    except (msgspec.DecodeError, OSError) as error:
        raise CheckpointCorruptError(f"{place} is damaged: {error}") from error
    if index.schema_version != 1:
        raise CheckpointError(
            f"{folder} was written in format {index.schema_version}, this version reads 1"
        )
    if len(index.member_ids) != len(index.weights):
        raise CheckpointCorruptError(f"{place} is damaged: not one weight a member")
    return index
