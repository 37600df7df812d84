"""Lets a tuner change the agent's hyperparameters, and holds the agent to what it was told."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from optix_core.abilities import DeclaresHyperparams, HasState, supports
from optix_core.base_agent import BaseAgent
from optix_core.base_optimizer import BaseOptimizer
from optix_core.branching import Branches, BranchingTuner
from optix_core.errors import ConfigurationError, ContractViolationError
from optix_core.eval_metrics import EvalMetrics
from optix_core.hyperparam_set import HyperparamSet
from optix_core.optimizers import BackoffOptimizer


class TuningSeat:
    """Holds the tuner of a run.

    Without one of the user's the first evaluation decides: scores without evidence get the
    documented `BackoffOptimizer`; with evidence the hyperparameters stay as the user gave them.
    """

    def __init__(self, tuner: BaseOptimizer | None, rng: np.random.Generator) -> None:
        """Seat the user's tuner, or leave the choice to the first evaluation."""
        self._tuner = tuner
        self._rng = rng
        self._is_settled = False

    @property
    def is_tuned(self) -> bool:
        """Whether there is a tuner; before the first evaluation, whether the user gave one."""
        return self._tuner is not None

    @property
    def moves_alone(self) -> bool:
        """Whether a tuner moves hyperparameters between windows, with nobody else at the wheel.

        One that branches compares whole stretches of training, and these are steered alike.
        """
        return self.is_tuned and not self.is_branching

    @property
    def name(self) -> str:
        """Class name of the tuner; "none" where nothing is tuned."""
        return "none" if self._tuner is None else type(self._tuner).__name__

    @property
    def is_branching(self) -> bool:
        """Whether the tuner tries hyperparameters out on branches of training."""
        return supports(self._tuner, BranchingTuner) and self._tuner.is_branching

    def settle(self, agent: BaseAgent, first: EvalMetrics) -> None:
        """Choose the tuner by the first evaluation; later calls change nothing."""
        if self._is_settled:
            return
        self._is_settled = True
        if self._tuner is None and not first.has_evidence:
            self._tuner = BackoffOptimizer()
        if self._tuner is not None and self.is_branching:
            # What it held in an earlier run is not there any more.
            self._tuner.on_restart()
        self._introduce(agent)

    def state_dict(self) -> dict[str, Any]:
        """Return which tuner sits here, and its state where it has one."""
        state = self._tuner.state_dict() if supports(self._tuner, HasState) else None
        return {"tuner": self.name, "is_settled": self._is_settled, "state": state}

    def put_back(self, agent: BaseAgent, state: Mapping[str, Any]) -> list[str]:
        """Seat the tuner that `state_dict` told of, as it was; returns what could not be restored.

        Raises:
            ConfigurationError: if another tuner was given to this run.
        """
        if self._tuner is None and state["tuner"] == BackoffOptimizer.__name__:
            self._tuner = BackoffOptimizer()
        if self.name != state["tuner"]:
            raise ConfigurationError(
                f"the run was tuned by {state['tuner']}, now {self.name} is given; give the same "
                "optimizer to resume it"
            )
        self._is_settled = state["is_settled"]
        if self._tuner is None:
            return []
        if self._is_settled:
            self._introduce(agent)
        if not supports(self._tuner, HasState):
            return [f"the tuner {self.name} has no state_dict: it begins anew"]
        self._tuner.load_state_dict(state["state"])
        return []

    def on_improvement(self, metrics: EvalMetrics) -> None:
        """Tell the tuner of an improvement."""
        if self._tuner is not None:
            self._tuner.on_improvement(metrics)

    def on_plateau(self, history: Sequence[EvalMetrics]) -> None:
        """Tell the tuner of an evaluation without improvement on a plateau."""
        if self._tuner is not None:
            self._tuner.on_plateau(history)

    def on_restart(self) -> None:
        """Tell the tuner that a rollback or a new round voided what it was trying."""
        if self._tuner is not None:
            self._tuner.on_restart()

    def branch(
        self, agent: BaseAgent, history: Sequence[EvalMetrics], branches: Branches
    ) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Let the tuner try hyperparameters out on branches, where it is one that does.

        Returns:
            Hyperparameters before and after, as read back from the agent; None where nothing
            changed.
        """
        if not supports(self._tuner, BranchingTuner) or not self._tuner.is_branching:
            return None
        old = read_hyperparams(agent).params
        self._tuner.step(branches, history)
        new = read_hyperparams(agent).params
        return None if new == old else (old, new)

    def let_go(self, branches: Branches) -> None:
        """Release what the tuner holds: the run is over."""
        for snapshot_id in self.held():
            branches.release(snapshot_id)

    def held(self) -> list[str]:
        """Return the snapshots that the tuner holds, each as often as it does."""
        return self._tuner.held() if supports(self._tuner, BranchingTuner) else []

    def _introduce(self, agent: BaseAgent) -> None:
        if self._tuner is not None:
            self._tuner.set_rng(self._rng)
            if supports(agent, DeclaresHyperparams):
                self._tuner.set_domains(agent.hyperparam_space())

    def tune(
        self,
        agent: BaseAgent,
        history: Sequence[EvalMetrics],
        window_id: int,
        *,
        held: str | None = None,
    ) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Put the tuner's suggestion into force.

        Args:
            agent: whose hyperparameters.
            history: evaluations so far.
            window_id: the window that was evaluated last.
            held: a hyperparameter that somebody else steers: whatever is suggested, it stays.

        Returns:
            Hyperparameters before and after, as read back from the agent; None where nothing
            changed.

        Raises:
            ContractViolationError: if tuner or agent do not deal in HyperparamSet.
        """
        if self._tuner is None:
            return None
        old = read_hyperparams(agent)
        suggested = self._tuner.suggest(old.copy(), history)
        if not isinstance(suggested, HyperparamSet):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ContractViolationError(
                f"suggest of {self.name} must return a HyperparamSet, "
                f"got {type(suggested).__name__}"
            )
        params = suggested.copy().params
        if held is not None and held in params:
            params[held] = old.params[held]
        if params == old.params:
            return None
        agent.set_hyperparams(HyperparamSet(params, window_id))
        new = read_hyperparams(agent)
        return None if new.params == old.params else (old.params, new.params)


def read_hyperparams(agent: BaseAgent) -> HyperparamSet:
    """Return a copy of the agent's hyperparameters.

    Raises:
        ContractViolationError: if the agent returns anything but a HyperparamSet.
    """
    hyperparams = agent.get_hyperparams()
    if not isinstance(hyperparams, HyperparamSet):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ContractViolationError(
            f"get_hyperparams of {type(agent).__name__} must return a HyperparamSet, "
            f"got {type(hyperparams).__name__}"
        )
    return hyperparams.copy()
