"""What a run is resumed from: gathered from its parts between two windows, and put back."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

from optix_core._replay_record import Columns
from optix_core._state_tree import is_storable
from optix_core._stored_values import is_same
from optix_core.abilities import HasReplay, HasState, supports
from optix_core.base_agent import BaseAgent
from optix_core.errors import CheckpointCorruptError, ConfigurationError, ContractViolationError
from optix_core.hyperparam_set import HyperparamSet
from optix_core.run_in_progress import RunInProgress
from optix_core.state_store import SavedState
from optix_core.tuning_seat import read_hyperparams

_WEIGHTS = "learner"
_CALLBACKS = "callbacks"


@final
class RunState:
    """Gathers the state of a run's parts, and puts it back into parts that are fresh."""

    def __init__(self, run: RunInProgress) -> None:
        """Take the run, opened or not."""
        self._parts = run.parts
        self._stage = run.stage
        self._learning = run.learning
        self._book = run.book
        self._recorder = run.recorder

    def gather(self) -> dict[str, Any]:
        """Return the state of everything, as it is between two windows."""
        parts, learner = self._parts, self._learning.agent
        hyperparams = read_hyperparams(learner)
        diagnostics = self._learning.diagnostics
        return {
            "progress": self._recorder.state_dict(),
            "book": self._book.state_dict(),
            "judge": parts.judge.state_dict(),
            "tuning": parts.tuning.state_dict(),
            "steering": parts.steering.state_dict(),
            "guard": parts.guard.state_dict(),
            "callbacks": parts.callbacks.state_dict(),
            "stage": self._stage.state_dict(),
            "learner": {
                "is_given": learner is parts.agent,
                "kind": type(learner).__name__,
                "hyperparams": hyperparams.params,
                "hyperparams_episode_id": hyperparams.episode_id,
                "state": _state_of(learner),
            },
            "diagnostics": {n: value for n, value in diagnostics.items() if is_storable(value)},
        }

    def replay(self) -> HasReplay | None:
        """Whose rows belong to the state beside its tree; None where the tree has all."""
        return _with_rows(self._learning.agent)

    def write_files(self, folder: Path) -> None:
        """Write what agents write themselves."""
        self._learning.agent.save_weights(str(folder / _WEIGHTS))
        self._parts.callbacks.save_files(folder / _CALLBACKS)

    def put_back(self, saved: SavedState) -> list[str]:
        """Put a state back into the parts of an opened loop.

        Returns:
            What could not be restored, one sentence each.

        Raises:
            ConfigurationError: if parts are not those of then.
            CheckpointError: if the state is damaged, or a best policy is gone.
        """
        try:
            return self._put_back(saved)
        except (KeyError, TypeError, AttributeError) as error:
            raise CheckpointCorruptError(
                f"the state in {saved.files} is not one of this version: {error!r}"
            ) from error

    def _put_back(self, saved: SavedState) -> list[str]:
        parts, tree = self._parts, saved.tree["run"]
        self._recorder.load_state_dict(tree["progress"])
        self._book.load_state_dict(tree["book"])
        parts.judge.load_state_dict(tree["judge"])
        parts.guard.load_state_dict(tree["guard"])
        parts.callbacks.load_state_dict(tree["callbacks"])
        parts.callbacks.load_files(saved.files / _CALLBACKS)
        learner = self._learner(tree["learner"])
        self._stage.seat(learner, n_rounds=self._recorder.progress.rounds)
        self._learning.agent = learner
        self._learning.diagnostics = tree["diagnostics"]
        parts.steering.load_state_dict(tree["steering"])
        losses = parts.tuning.put_back(learner, tree["tuning"])
        for snapshot_id in parts.tuning.held():
            parts.bench.store.hold(snapshot_id)
        _restore(learner, tree["learner"], saved.files / _WEIGHTS)
        losses += _put_state(learner, tree["learner"]["state"], saved.rows)
        losses += self._stage.put_back(tree["stage"])
        return losses

    def _learner(self, state: Mapping[str, Any]) -> BaseAgent:
        given = self._parts.agent
        learner = given if state["is_given"] else self._parts.callbacks.resumed_learner()
        if learner is None or type(learner).__name__ != state["kind"]:
            raise ConfigurationError(
                f"the run went on with another {state['kind']} than the one it began with, and no "
                "callback makes it again; give the callbacks that the run had"
                if learner is None
                else f"a {state['kind']} learned, now {type(learner).__name__} is given"
            )
        return learner


def _with_rows(agent: BaseAgent) -> HasReplay | None:
    if not (supports(agent, HasState) and supports(agent, HasReplay)):
        return None
    return None if agent.replay_extent() is None else agent


def _state_of(agent: BaseAgent) -> dict[str, Any] | None:
    replay = _with_rows(agent)
    if replay is not None:
        return replay.state_without_replay()
    return agent.state_dict() if supports(agent, HasState) else None


def _restore(agent: BaseAgent, state: Mapping[str, Any], weights: Path) -> None:
    """Put weights and hyperparameters into an agent."""
    agent.load_weights(str(weights))
    wanted = HyperparamSet(dict(state["hyperparams"]), state["hyperparams_episode_id"])
    agent.set_hyperparams(wanted.copy())
    found = read_hyperparams(agent)
    if not is_same(wanted.params, found.params):
        raise ContractViolationError(
            f"{type(agent).__name__} was given the hyperparameters {wanted.params} and gives back "
            f"{found.params}; let get_hyperparams return what set_hyperparams put into force"
        )


def _put_state(agent: BaseAgent, state: Mapping[str, Any], rows: Columns | None) -> list[str]:
    """Put state and rows into an agent; returns what it cannot take."""
    if rows is not None:
        if not supports(agent, HasReplay):
            raise ConfigurationError(
                f"the run was saved with the rows of a replay memory, and {type(agent).__name__} "
                "has no load_with_replay any more; resume with the class that it had"
            )
        agent.load_with_replay(state, rows)
        return []
    if supports(agent, HasState):
        agent.load_state_dict(state)
        return []
    return [f"{type(agent).__name__} has no state_dict: what its weights do not hold begins anew"]
