"""What the tests of the registry share: an agent with one weight, and saves of a line."""

from pathlib import Path
from typing import Any

import numpy as np

from optix_core import BaseAgent, EpisodeData, EvalMetrics, HyperparamSet, PolicySnapshot
from optix_core.checkpoint_registry import CheckpointRegistry
from optix_core.weights_file import load_arrays, save_arrays

FIRST = "snapshot-000001"


class OneWeightAgent(BaseAgent):
    """Its policy is one number, kept in an array."""

    def __init__(self, weight: float = 0.0, **params: Any) -> None:
        self.weight = weight
        self.params: dict[str, Any] = params

    def act(self, observation: Any) -> int:
        return 0

    def learn(self, episode_data: EpisodeData) -> dict[str, Any]:
        return {}

    def get_hyperparams(self) -> HyperparamSet:
        return HyperparamSet(self.params).copy()

    def set_hyperparams(self, hp: HyperparamSet) -> None:
        self.params = hp.copy().params

    def save_weights(self, path: str) -> None:
        save_arrays(path, {"weight": np.full(8, self.weight)})

    def load_weights(self, path: str) -> None:
        self.weight = float(load_arrays(path)["weight"][0])


def save(registry: CheckpointRegistry, score: float, weight: float | None = None) -> PolicySnapshot:
    """Save a policy whose weight, unless given, is its score."""
    agent = OneWeightAgent(score if weight is None else weight, rate=0.5)
    return registry.save(agent, EvalMetrics(score), agent.get_hyperparams())


def load(registry: CheckpointRegistry, snapshot: PolicySnapshot) -> float:
    """Load a policy; returns its weight."""
    agent = OneWeightAgent(-1.0)
    registry.load(snapshot, agent)
    return agent.weight


def load_best(registry: CheckpointRegistry) -> float | None:
    """Load the best policy; returns its weight."""
    agent = OneWeightAgent(-1.0)
    return None if registry.load_best(agent) is None else agent.weight


def scores(registry: CheckpointRegistry) -> list[float]:
    """Scores of the snapshots in order of sequence."""
    return [snapshot.eval_metrics.primary_score for snapshot in registry.snapshots()]


def flip_byte(path: Path, position: int = -1) -> None:
    """Damage one byte of a file."""
    data = bytearray(path.read_bytes())
    data[position] ^= 0x01
    path.write_bytes(bytes(data))


def tree(path: Path) -> dict[str, bytes]:
    """Every file below a directory with its bytes; links by their target."""
    return {
        str(found.relative_to(path)): b"link" if found.is_symlink() else found.read_bytes()
        for found in sorted(path.rglob("*"))
        if found.is_symlink() or found.is_file()
    }
