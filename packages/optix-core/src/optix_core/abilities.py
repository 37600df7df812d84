"""What an agent or a pipeline may be able to do beyond its contract, each a protocol of its own.

A component asks with `supports(agent, ActsInBatch)`, never by name; everything works without.
"""

from collections.abc import Collection, Hashable, Mapping, Sequence
from functools import lru_cache
from inspect import get_annotations
from typing import Any, Generic, Protocol, TypeGuard, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from optix_core.domain import Domain
from optix_core.episode_data import EpisodeData
from optix_core.replay_extent import ReplayExtent

P = TypeVar("P")


@runtime_checkable
class ActsInBatch(Protocol):
    """Acts on many observations in one call."""

    def act_batch(self, observations: NDArray[Any]) -> Any:
        """Choose actions [B, ...] for observations [B, ...], as `act` would one by one."""
        ...


@runtime_checkable
class ActsGreedily(Protocol):
    """Acts without exploration noise."""

    def act_greedy(self, observation: Any) -> Any:
        """Choose the action held best; the agent's state, its generator included, stays."""
        ...


@runtime_checkable
class ActsGreedilyInBatch(Protocol):
    """Acts without exploration noise on many observations in one call."""

    def act_greedy_batch(self, observations: NDArray[Any]) -> Any:
        """Choose actions [B, ...] for observations [B, ...], as `act_greedy` would one by one."""
        ...


@runtime_checkable
class HasActionDistribution(Protocol):
    """Gives the distribution that `act` samples from."""

    def action_distribution(
        self, observations: NDArray[Any]
    ) -> NDArray[np.floating[Any]] | tuple[NDArray[np.floating[Any]], NDArray[np.floating[Any]]]:
        """Return probabilities [B, K] of discrete actions, or (mean, std), each [B, A]."""
        ...


@runtime_checkable
class StackedPolicy(Protocol):
    """Several policies of one structure, run as one."""

    def forward(self, observations: NDArray[Any]) -> NDArray[Any]:
        """Return every member's outputs [M, B, ...] for observations [B, ...].

        They are the members' actions, without exploration where members can act without it;
        unless the stack `InterpretsOutputs`. The next call may overwrite them.
        """
        ...

    def refresh(self, index: int, member: Any) -> None:
        """Copy the weights of one member that learned into row `index`."""
        ...


@runtime_checkable
class InterpretsOutputs(Protocol):
    """A stack whose outputs [M, B, ...] are not actions yet, but what distributions are made of.

    Every method gives what the members would give one by one, [M, B, ...].
    """

    def greedy(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """Return the actions held best, as `act_greedy_batch`."""
        ...

    def sample(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """Draw actions with each member's own generator, as `act_batch`."""
        ...

    def distribution(
        self, outputs: NDArray[Any]
    ) -> NDArray[np.floating[Any]] | tuple[NDArray[np.floating[Any]], NDArray[np.floating[Any]]]:
        """Return probabilities [M, B, K] or (mean, std); asked only of members that have it."""
        ...


@runtime_checkable
class Stackable(Protocol):
    """Can be run as one with structurally equal agents."""

    @property
    def weights_version(self) -> int:
        """Changes whenever the policy may have: by learning, loading, or a setting."""
        ...

    def stack_key(self) -> Hashable:
        """Equal for agents of one class that can be stacked; known once the agent has acted."""
        ...

    def stack(self, members: Sequence[Any]) -> StackedPolicy:
        """Stack members, self the first of them; raises ContractViolationError if they differ."""
        ...


@runtime_checkable
class HasState(Protocol):
    """Can be resumed bit for bit."""

    def state_dict(self) -> dict[str, Any]:
        """Return what weights do not hold: generators, replay, counters.

        Nested dicts and lists of NumPy arrays and JSON scalars.
        """
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put back what `state_dict` returned."""
        ...


@runtime_checkable
class HasReplay(Protocol):
    """Has `HasState` and a replay memory whose rows are stored once each, not at every save.

    Rows are numbered from 0 as they are appended. A subclass that overrides `state_dict` overrides
    `state_without_replay` as well, or its state is stored whole.
    """

    def replay_extent(self) -> ReplayExtent | None:
        """Say which rows are held; None where there are none yet."""
        ...

    def replay_rows(self, start: int, end: int) -> dict[str, NDArray[Any]]:
        """Return the rows from number `start` up to `end`, in columns [end - start, ...].

        They are among those held; `start == end` gives columns without rows.
        """
        ...

    def state_without_replay(self) -> dict[str, Any]:
        """Return what `state_dict` returns, without the rows."""
        ...

    def load_with_replay(self, state: Mapping[str, Any], rows: Mapping[str, NDArray[Any]]) -> None:
        """Put back what `state_without_replay` returned, and all rows held then, oldest first."""
        ...


@runtime_checkable
class HasFiles(Protocol):
    """Has more to resume from than a `state_dict` should hold: the weights of agents, say."""

    def save_files(self, folder: str) -> None:
        """Write it into an empty folder."""
        ...

    def load_files(self, folder: str) -> None:
        """Read what `save_files` wrote, after `load_state_dict`."""
        ...


@runtime_checkable
class NamesLosses(Protocol):
    """Tells after `load_state_dict` what it could not put back."""

    @property
    def losses(self) -> Sequence[str]:
        """One sentence for each thing that begins anew; empty where all is as it was."""
        ...


@runtime_checkable
class GivesLearner(Protocol):
    """A callback that made the learner of the round in progress, and makes it again at a resume."""

    def resumed_learner(self) -> Any:
        """Return the agent that was the learner, built anew; None where it was another's.

        Its weights, hyperparameters and state are put back by the loop.
        """
        ...


@runtime_checkable
class DeclaresHyperparams(Protocol):
    """Says which hyperparameters may be tuned, and within what."""

    def hyperparam_space(self) -> Mapping[str, Domain]:
        """Return the domain of each tunable hyperparameter."""
        ...


@runtime_checkable
class PrefersLoop(Protocol):
    """Says what loop suits its kind of learning; `optix train` goes by it."""

    def loop_preferences(self) -> Mapping[str, Any]:
        """Return settings of the loop by their names in `optix train`, those that matter to it.

        They hang on the kind of agent, never on the environment; what a user sets comes first.
        """
        ...


@runtime_checkable
class Seedable(Protocol):
    """A pipeline whose environment can be seeded."""

    def seed(self, seed: int) -> None:
        """Drop the episode in progress; the next window starts with a reset on this seed."""
        ...


@runtime_checkable
class ValidatesOnSeeds(Protocol):
    """A pipeline that can play held-out windows on a fixed list of seeds."""

    def validate_on(self, seed: int) -> None:
        """Play held-out windows from here on, leaving no trace in the agent.

        It acts greedily where it can. Resets are on seeds drawn once from this one.
        """
        ...


@runtime_checkable
class PlaysEpisodes(Protocol):
    """A pipeline that can play whole held-out episodes on any seeds, beside its own windows."""

    def play_episodes(self, seeds: Sequence[int]) -> EpisodeData:
        """Let the agent that is seated play one whole episode a seed, leaving no trace in it.

        It acts as in the pipeline's held-out windows, and these stay as they would have been. The
        same seeds give the same starts in the same order (`EpisodeData.returns_by_environment`).

        Args:
            seeds: at least one, each in [0, 2**31).
        """
        ...


@runtime_checkable
class Stoppable(Protocol):
    """A pipeline that may wait for its next window for ever, as one over a live source may."""

    def stop(self) -> None:
        """Have who waits for a window get what there is, as partial, and then no more.

        Called from any thread, a signal handler's included; returns at once.
        """
        ...


_TIED = {
    "act": frozenset(
        {"act_batch", "act_greedy", "act_greedy_batch", "action_distribution", "stack"}
    ),
    "state_dict": frozenset({"state_without_replay"}),
}


def supports(component: object, ability: type[P]) -> TypeGuard[P]:
    """Whether a component has an ability that can be trusted.

    A method that stands for `act` counts only where the class that defines it is, or derives from,
    the class that defines `act`: a subclass that overrides `act` alone must not inherit a fast path
    for the old one. So does one that stands for `state_dict`.
    """
    kind = type(component)
    # Until Python 3.12 `isinstance` gathers a protocol's members anew each time, twenty
    # microseconds that a loop pays several times a window: it is asked last.
    if not _defines_all(kind, ability) and not (
        all(hasattr(component, name) for name in _members(ability))
        and isinstance(component, ability)
    ):
        return False
    return _is_trusted(kind, ability)


@lru_cache(maxsize=256)
def _members(ability: type) -> frozenset[str]:
    bases = [base for base in ability.__mro__ if base not in (Protocol, Generic, object)]
    names = {name for base in bases for name in (*vars(base), *get_annotations(base))}
    return frozenset(name for name in names if not name.startswith("_"))


@lru_cache(maxsize=1024)
def _defines_all(kind: type, ability: type) -> bool:
    definers = {name: _definer(kind, name) for name in _members(ability)}
    return all(base and vars(base)[name] is not None for name, base in definers.items())


@lru_cache(maxsize=1024)
def _is_trusted(kind: type, ability: type) -> bool:
    return all(_keeps_up(kind, name, tied & vars(ability).keys()) for name, tied in _TIED.items())


def _keeps_up(kind: type, name: str, tied: Collection[str]) -> bool:
    """Whether methods that stand for another one were defined with it, or below."""
    stood_for = _definer(kind, name)
    if stood_for is None:
        return True
    definers = (_definer(kind, method) for method in tied)
    return all(definer is not None and issubclass(definer, stood_for) for definer in definers)


def _definer(kind: type, name: str) -> type | None:
    return next((base for base in kind.__mro__ if name in vars(base)), None)
