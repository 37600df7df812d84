"""Puts hyperparameters into an agent and holds it to them."""

from optix_core._stored_values import is_same
from optix_core.base_agent import BaseAgent
from optix_core.errors import ContractViolationError
from optix_core.hyperparam_set import HyperparamSet


def put_into_force(agent: BaseAgent, hyperparams: HyperparamSet, origin: str) -> None:
    """Set hyperparameters and read them back.

    Args:
        agent: who gets them.
        hyperparams: what it gets.
        origin: where they come from, for the error.

    Raises:
        ContractViolationError: if the agent does not give back what it got.
    """
    agent.set_hyperparams(hyperparams.copy())
    found = agent.get_hyperparams().params
    if not is_same(hyperparams.params, found):
        raise ContractViolationError(
            f"the agent was given the hyperparameters {hyperparams.params} of {origin} and gives "
            f"back {found}; let get_hyperparams return what set_hyperparams put into force"
        )
