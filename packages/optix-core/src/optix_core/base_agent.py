"""The contract of an agent: six methods, nothing else."""

from abc import ABC, abstractmethod
from typing import Any

from optix_core.episode_data import EpisodeData
from optix_core.hyperparam_set import HyperparamSet


class BaseAgent(ABC):
    """An agent of any algorithm and any framework.

    The loop calls these six methods and no other. What an agent can do beyond them it shows by
    implementing one of the protocols of `optix_core.abilities`.
    """

    @abstractmethod
    def act(self, observation: Any) -> Any:
        """Choose an action for one observation. It goes to `env.step` untouched."""

    @abstractmethod
    def learn(self, episode_data: EpisodeData) -> dict[str, Any]:
        """Learn from one window of experience.

        Returns:
            Diagnostics by name (losses, entropies, `kl`); numbers are recorded.
        """

    @abstractmethod
    def get_hyperparams(self) -> HyperparamSet:
        """Return the hyperparameters in force; changing the result changes nothing here."""

    @abstractmethod
    def set_hyperparams(self, hp: HyperparamSet) -> None:
        """Put hyperparameters into force; `get_hyperparams` gives them back."""

    @abstractmethod
    def save_weights(self, path: str) -> None:
        """Write everything that `learn` changes and `act` needs to `path`.

        `path` does not exist yet; the agent makes it, as a file or as a folder.
        """

    @abstractmethod
    def load_weights(self, path: str) -> None:
        """Read what `save_weights` wrote to `path`."""
