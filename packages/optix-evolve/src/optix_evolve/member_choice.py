"""Lets members of an ensemble play together on fresh episodes, and weighs those who are chosen."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

from optix_core import BaseAgent
from optix_evolve.ensemble import Ensemble
from optix_evolve.ensemble_agent import EnsembleAgent
from optix_evolve.ensemble_selection import (
    SELECTION_EPISODES,
    Members,
    Selection,
    select_members,
)

PlayFresh = Callable[[BaseAgent, int], Sequence[float]]
"""Lets a policy play so many held-out episodes, the same for any: `LoopHandle.play_fresh`, say."""


def choose_members(
    ensemble: Ensemble,
    play: PlayFresh,
    *,
    action_space: object | None = None,
    n_episodes: int = SELECTION_EPISODES,
) -> Selection | None:
    """Choose who acts, by the rule of `select_members`; the others weigh 0 and stay members.

    Args:
        ensemble: its members play as they are; boosts count for nothing while they do.
        play: plays held-out episodes.
        action_space: as in `EnsembleAgent`.
        n_episodes: that each set of members plays, at least 2.

    Returns:
        None, and weights as they were, where no episodes can be played.
    """
    agents = ensemble.agents

    def play_together(members: Members) -> Sequence[float]:
        return play(_as_one([agents[i] for i in members], action_space), n_episodes)

    selection = select_members(len(agents), play_together)
    if selection is not None:
        ensemble.choose(selection.members)
    return selection


@final
@dataclass(frozen=True, slots=True)
class _Tried:
    ensemble: Ensemble


def _as_one(agents: Sequence[BaseAgent], action_space: object | None) -> BaseAgent:
    if len(agents) == 1:
        return agents[0]
    tried = Ensemble()
    for agent in agents:
        tried.add_agent(agent, 1.0)
    return EnsembleAgent(_Tried(tried), agents[0], action_space, seed=0)
