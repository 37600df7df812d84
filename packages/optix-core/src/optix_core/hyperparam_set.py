"""The hyperparameters of an agent: an open dict and the window they were made at."""

import copy
from dataclasses import dataclass, field
from typing import Any

_IMMUTABLE = frozenset({float, int, bool, str, type(None)})
"""What needs no copy: a deep one of a few numbers takes ten times as long as a plain one."""


@dataclass(slots=True)
class HyperparamSet:
    """Hyperparameters by name. No name is known to the framework."""

    params: dict[str, Any] = field(default_factory=dict[str, Any])
    """Value by name."""
    episode_id: int = 0
    """Number of the window that these were made at."""

    def copy(self) -> "HyperparamSet":
        """Return a deep copy: changing it, containers included, leaves this one as it was."""
        is_flat = all(type(value) in _IMMUTABLE for value in self.params.values())
        params = dict(self.params) if is_flat else copy.deepcopy(self.params)
        return HyperparamSet(params, self.episode_id)
