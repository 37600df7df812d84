"""The hyperparameters of an agent: an open dict and the window they were made at."""

import copy
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class HyperparamSet:
    """Hyperparameters by name. No name is known to the framework."""

    params: dict[str, Any] = field(default_factory=dict[str, Any])
    """Value by name."""
    episode_id: int = 0
    """Number of the window that these were made at."""

    def copy(self) -> "HyperparamSet":
        """Return a deep copy: changing it, containers included, leaves this one as it was."""
        return HyperparamSet(copy.deepcopy(self.params), self.episode_id)
