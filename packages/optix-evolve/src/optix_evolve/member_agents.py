"""The members' agents of a run that is resumed: built anew, then given back what they had."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from optix_core import BaseAgent, HyperparamSet
from optix_core.abilities import HasState, supports
from optix_core.errors import ConfigurationError
from optix_evolve.population import Member, Population
from optix_evolve.variants import fresh_agent


def build_agents(
    members: list[Mapping[str, Any]],
    given: Population,
    factory: Callable[[], BaseAgent] | None,
    n_spawned: int,
) -> dict[int, BaseAgent]:
    """Return the agent of each member, by its id.

    Members that were there before the run are taken from those that are there now. The factory is
    called once for each variant that was ever spawned, pruned ones included: so whatever it counts
    or draws, seeds say, stands where it stood.

    Args:
        members: state of each member.
        given: members as the run begins.
        factory: makes variants.
        n_spawned: how many were made.

    Raises:
        ConfigurationError: if there is no factory for variants, or a member is missing.
    """
    if n_spawned and factory is None:
        raise ConfigurationError(
            f"the run had spawned {n_spawned} variants; give agent_factory to make them again"
        )
    made = {n: fresh_agent(factory) for n in range(1, n_spawned + 1) if factory is not None}
    there = {member.member_id: member.agent for member in given}
    agents: dict[int, BaseAgent] = {}
    for member in members:
        member_id, number = member["member_id"], member["lineage"]["round_index"]
        agent = made.get(number) if number else there.get(member_id)
        if agent is None:
            raise ConfigurationError(
                f"the run began with a member {member_id} that is not there; add the same agents "
                "to the manager before resuming"
            )
        agents[member_id] = agent
    return agents


def save_agents(members: list[Member], folder: Path) -> None:
    """Write the weights of members, a file or folder each."""
    for member in members:
        member.agent.save_weights(str(folder / str(member.member_id)))


def agent_states(members: list[Member]) -> dict[str, Any]:
    """Return what the weights of members do not hold, by their ids."""
    states: dict[str, Any] = {}
    for member in members:
        agent: BaseAgent = member.agent
        hyperparams = agent.get_hyperparams()
        states[str(member.member_id)] = {
            "hyperparams": hyperparams.params,
            "episode_id": hyperparams.episode_id,
            "state": agent.state_dict() if supports(agent, HasState) else None,
        }
    return states


def load_agents(
    agents: Mapping[int, BaseAgent], states: Mapping[str, Mapping[str, Any]], folder: Path
) -> None:
    """Give agents back what `save_agents` and `agent_states` took."""
    for member_id, state in states.items():
        agent = agents[int(member_id)]
        agent.load_weights(str(folder / member_id))
        agent.set_hyperparams(HyperparamSet(dict(state["hyperparams"]), state["episode_id"]))
        if supports(agent, HasState):
            agent.load_state_dict(state["state"])
