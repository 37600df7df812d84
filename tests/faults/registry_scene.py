"""What the fault tests of the registry share: an agent of one weight, saved and loaded."""

from pathlib import Path
from typing import Any

import numpy as np

from optix_core import EvalMetrics, PolicySnapshot
from optix_core.checkpoint_registry import CheckpointRegistry
from optix_core.testing import FakeAgent
from optix_core.weights_file import load_arrays, save_arrays


class WeightAgent(FakeAgent):
    """Its policy is one number, in a weights file such as our agents write."""

    def __init__(self, weight: float = 0.0, **params: Any) -> None:
        super().__init__({"weight": weight} | params)
        self.weight: float = weight

    def save_weights(self, path: str) -> None:
        save_arrays(path, {"weight": np.full(64, self.weight)})

    def load_weights(self, path: str) -> None:
        self.weight = float(load_arrays(path)["weight"][0])


def save(registry: CheckpointRegistry, score: float, weight: float | None = None) -> PolicySnapshot:
    """Save a policy whose weight, unless given, is its score; every part tells it."""
    agent = WeightAgent(score if weight is None else weight)
    metrics = EvalMetrics(score, {"weight": agent.weight})
    return registry.save(agent, metrics, agent.get_hyperparams())


def load(registry: CheckpointRegistry, snapshot: PolicySnapshot) -> float:
    """Load a policy; returns its weight, after all parts of the snapshot told the same."""
    agent = WeightAgent(-1.0)
    registry.load(snapshot, agent)
    assert agent.get_hyperparams().params == {"weight": agent.weight}
    assert snapshot.eval_metrics.metrics == {"weight": agent.weight}
    return agent.weight


def load_best(registry: CheckpointRegistry) -> float | None:
    """Load the best policy; returns its weight, None where there is no best."""
    agent = WeightAgent(-1.0)
    return None if registry.load_best(agent) is None else agent.weight


def scores(registry: CheckpointRegistry) -> list[float]:
    """Scores of the snapshots in order of sequence."""
    return [snapshot.eval_metrics.primary_score for snapshot in registry.snapshots()]


def loaded_scores(root: Path) -> dict[int, float]:
    """Score by sequence, of snapshots each of which loads with the weight that is its score."""
    registry = CheckpointRegistry(root)
    found: dict[int, float] = {}
    for snapshot in registry.snapshots():
        assert load(registry, snapshot) == snapshot.eval_metrics.primary_score
        found[snapshot.sequence] = snapshot.eval_metrics.primary_score
    return found


def flip_byte(path: Path, position: int = -1) -> None:
    """Damage one byte of a file."""
    data = bytearray(path.read_bytes())
    data[position] ^= 0x01
    path.write_bytes(bytes(data))


def tree(path: Path) -> dict[str, bytes]:
    """Every file below a directory with its bytes; links are told, not followed."""
    return {
        str(found.relative_to(path)): b"link" if found.is_symlink() else found.read_bytes()
        for found in sorted(path.rglob("*"))
        if found.is_symlink() or found.is_file()
    }
