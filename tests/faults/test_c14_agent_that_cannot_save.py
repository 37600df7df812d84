"""C14: an agent raises while it saves, fifty times; nothing is lost, nothing is left."""

import itertools
from pathlib import Path

import pytest

from optix_core import EvalMetrics
from optix_core.checkpoint_registry import CheckpointRegistry

from .registry_scene import WeightAgent, load_best, save, tree

ERRORS: list[BaseException] = [
    RuntimeError("mine"),
    OSError(28, "No space left on device"),
    KeyboardInterrupt(),
    SystemExit(3),
    MemoryError(),
]


class Failing(WeightAgent):
    """Raises after it wrote something: a file, a folder full, or nothing."""

    def __init__(self, error: BaseException, n_files: int) -> None:
        super().__init__(99.0)
        self.error, self.n_files = error, n_files

    def save_weights(self, path: str) -> None:
        if self.n_files > 1:
            Path(path).mkdir()
            for number in range(self.n_files):
                (Path(path) / str(number)).write_bytes(b"half")
        elif self.n_files:
            super().save_weights(path)
        raise self.error


def test_fifty_failures_leave_all_as_it_was(tmp_path: Path) -> None:
    registry = CheckpointRegistry(tmp_path, max_snapshots=3)
    for score in (1.0, 9.0, 2.0):
        save(registry, score)
    before = tree(tmp_path)
    for attempt, error in zip(range(50), itertools.cycle(ERRORS), strict=False):
        agent = Failing(error, attempt % 4)
        with pytest.raises(type(error)) as raised:
            registry.save(agent, EvalMetrics(99.0), agent.get_hyperparams())
        assert raised.value is error
        assert tree(tmp_path) == before
        assert not list(tmp_path.glob(".tmp-*"))
    assert load_best(registry) == 9.0
    assert save(registry, 3.0).sequence == 4
