"""The registry by example: what is saved, found, kept and refused."""

import logging
import math
import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from optix_core import EvalMetrics, HyperparamSet
from optix_core.checkpoint_registry import CheckpointRegistry
from optix_core.errors import (
    CheckpointNotFoundError,
    ConfigurationError,
    ContractViolationError,
)

from .registry_scene import FIRST, OneWeightAgent, load, load_best, save, scores


def test_a_saved_policy_comes_back_whole(tmp_path: Path) -> None:
    registry = CheckpointRegistry(tmp_path / "made" / "here")
    registry.run_id = 7
    metrics = EvalMetrics(2.5, {"score_se": math.inf, "n_episodes": 3, "unit": "window"}, 11)
    saved = registry.save(OneWeightAgent(4.0), metrics, HyperparamSet({"rate": 1, "on": True}, 9))
    (found,) = CheckpointRegistry(tmp_path / "made" / "here").snapshots()
    assert found == saved
    assert (found.sequence, found.run_id, found.episode_id) == (1, 7, 11)
    assert found.eval_metrics == metrics
    assert found.hyperparams == HyperparamSet({"rate": 1, "on": True}, 9)
    agent = OneWeightAgent()
    registry.load(found, agent)
    assert (agent.weight, agent.params) == (4.0, {"rate": 1, "on": True})


def test_an_absent_directory_has_nothing_and_is_not_made(tmp_path: Path) -> None:
    registry = CheckpointRegistry(tmp_path / "absent")
    assert registry.snapshots() == []
    assert registry.best is None
    assert registry.best_of_run(0) is None
    assert registry.load_best(OneWeightAgent()) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("max_snapshots", [0, -3, True])
def test_a_registry_that_keeps_nothing_is_refused(tmp_path: Path, max_snapshots: int) -> None:
    with pytest.raises(ConfigurationError, match=str(max_snapshots)):
        CheckpointRegistry(tmp_path, max_snapshots)


def test_the_best_stays_and_otherwise_the_newest(tmp_path: Path) -> None:
    registry = CheckpointRegistry(tmp_path, max_snapshots=3)
    for score in (1.0, 9.0, 2.0, 3.0, 4.0):
        save(registry, score)
    assert scores(registry) == [9.0, 3.0, 4.0]
    assert load_best(registry) == 9.0


def test_the_earlier_of_two_equals_is_the_best(tmp_path: Path) -> None:
    registry = CheckpointRegistry(tmp_path)
    save(registry, 1.0, weight=10.0)
    save(registry, 1.0, weight=20.0)
    assert load_best(registry) == 10.0


@pytest.mark.parametrize("orders", [(math.nan, 1.0), (1.0, math.nan), (math.inf, 1.0)])
def test_a_score_that_is_no_number_is_kept_and_never_the_best(
    tmp_path: Path, orders: tuple[float, float]
) -> None:
    registry = CheckpointRegistry(tmp_path)
    for score in orders:
        save(registry, score, weight=5.0 if score == 1.0 else 6.0)
    assert [str(score) for score in scores(registry)] == [str(score) for score in orders]
    assert load_best(registry) == 5.0
    text = "".join(path.read_text() for path in tmp_path.rglob("*.json"))
    assert "NaN" not in text
    assert "Infinity" not in text


def test_without_a_number_among_the_scores_there_is_no_best(tmp_path: Path) -> None:
    registry = CheckpointRegistry(tmp_path, max_snapshots=2)
    for score in (math.nan, -math.inf, math.inf):
        save(registry, score)
    assert len(registry.snapshots()) == 2
    assert registry.best is None
    assert registry.load_best(OneWeightAgent()) is None


def test_each_run_has_its_own_best(tmp_path: Path) -> None:
    registry = CheckpointRegistry(tmp_path, max_snapshots=2)
    for run_id, score in ((1, 9.0), (2, 3.0), (2, 5.0), (3, 1.0)):
        registry.run_id = run_id
        save(registry, score)
    # The best of all and the best of the run that saves are not given up for others' bests.
    assert scores(registry) == [9.0, 1.0]
    best = registry.best_of_run(3)
    assert best is not None
    assert best.eval_metrics.primary_score == 1.0
    assert registry.best_of_run(2) is None


def test_the_bests_of_other_runs_come_before_newer_ones(tmp_path: Path) -> None:
    registry = CheckpointRegistry(tmp_path, max_snapshots=4)
    for run_id, score in ((1, 9.0), (2, 5.0), (3, 4.0), (3, 1.0), (3, 2.0), (3, 3.0)):
        registry.run_id = run_id
        save(registry, score)
    assert scores(registry) == [9.0, 5.0, 4.0, 3.0]


def test_what_is_pinned_comes_on_top(tmp_path: Path) -> None:
    registry, other = (CheckpointRegistry(tmp_path, max_snapshots=1) for _ in range(2))
    parent = save(registry, 1.0)
    other.pin(parent.snapshot_id)
    other.pin(parent.snapshot_id)
    save(registry, 2.0)
    save(registry, 3.0)
    assert scores(registry) == [1.0, 3.0]
    other.unpin(parent.snapshot_id)
    save(registry, 4.0)
    assert scores(registry) == [1.0, 4.0]
    registry.unpin(parent.snapshot_id)
    registry.unpin(parent.snapshot_id)
    save(registry, 5.0)
    assert scores(registry) == [5.0]
    with pytest.raises(CheckpointNotFoundError, match=parent.snapshot_id):
        registry.pin(parent.snapshot_id)


def test_a_number_is_not_given_twice(tmp_path: Path) -> None:
    registry = CheckpointRegistry(tmp_path, max_snapshots=1)
    save(registry, 5.0)
    gone = save(registry, 3.0)
    assert scores(registry) == [5.0]
    assert save(registry, 6.0).sequence == 3
    with pytest.raises(CheckpointNotFoundError, match=gone.snapshot_id):
        registry.load(gone, OneWeightAgent())


def test_another_snapshot_under_the_same_number_is_not_loaded(tmp_path: Path) -> None:
    first, second = CheckpointRegistry(tmp_path / "a"), CheckpointRegistry(tmp_path / "b")
    wanted = save(first, 1.0)
    save(second, 2.0)
    agent = OneWeightAgent(-1.0)
    with pytest.raises(CheckpointNotFoundError, match="another one"):
        second.load(wanted, agent)
    assert agent.weight == -1.0


def test_a_moved_directory_and_another_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    registry = CheckpointRegistry("runs/first")
    save(registry, 3.0)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert load_best(registry) == 3.0
    (tmp_path / "runs").rename(tmp_path / "moved")
    assert registry.best is None
    moved = CheckpointRegistry(tmp_path / "moved" / "first")
    assert load_best(moved) == 3.0
    assert save(moved, 4.0).sequence == 2
    assert str(tmp_path).encode() not in b"".join(
        path.read_bytes() for path in (tmp_path / "moved").rglob("*") if path.is_file()
    )


def test_only_the_owner_can_look_inside(tmp_path: Path) -> None:
    class Careless(OneWeightAgent):
        def save_weights(self, path: str) -> None:
            Path(path).mkdir(mode=0o777)
            Path(path).chmod(0o777)
            file = Path(path) / "part"
            file.write_text("x")
            file.chmod(0o666)

    root = tmp_path / "runs"
    registry = CheckpointRegistry(root)
    registry.save(Careless(), EvalMetrics(1.0), HyperparamSet({}))
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (root, *root.rglob("*"))}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}


def test_weights_may_be_a_folder_or_carry_a_suffix(tmp_path: Path) -> None:
    class Keras(OneWeightAgent):
        def save_weights(self, path: str) -> None:
            Path(path + ".weights.h5").write_text(str(self.weight))
            Path(path).mkdir()
            (Path(path) / "empty").mkdir()

        def load_weights(self, path: str) -> None:
            assert (Path(path) / "empty").is_dir()
            self.weight = float(Path(path + ".weights.h5").read_text())

    registry, agent = CheckpointRegistry(tmp_path), Keras()
    registry.save(Keras(8.0), EvalMetrics(1.0), HyperparamSet({}))
    registry.load_best(agent)
    assert agent.weight == 8.0


def _write_nothing(path: str) -> None:
    del path


def _write_a_folder_alone(path: str) -> None:
    Path(path).mkdir()


def _write_a_link(path: str) -> None:
    Path(path).symlink_to("/etc/hostname")


def _write_the_record(path: str) -> None:
    Path(path).with_name("snapshot.json").write_text("{}")


def _write_a_pipe(path: str) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize(
    "write",
    [_write_nothing, _write_a_folder_alone, _write_a_link, _write_the_record, _write_a_pipe],
)
def test_an_agent_that_writes_no_weights_breaks_its_contract(tmp_path: Path, write: Any) -> None:
    registry, agent = CheckpointRegistry(tmp_path), OneWeightAgent()
    agent.save_weights = write
    with pytest.raises(ContractViolationError, match="save_weights"):
        registry.save(agent, EvalMetrics(1.0), HyperparamSet({}))
    assert [path.name for path in tmp_path.iterdir()] == [".writer.lock"]


def test_an_agent_that_raises_leaves_nothing_behind(tmp_path: Path) -> None:
    class Failing(OneWeightAgent):
        def save_weights(self, path: str) -> None:
            super().save_weights(path)
            raise KeyboardInterrupt

    registry = CheckpointRegistry(tmp_path)
    save(registry, 1.0)
    before = sorted(tmp_path.rglob("*"))
    for _ in range(50):
        with pytest.raises(KeyboardInterrupt):
            registry.save(Failing(), EvalMetrics(9.0), HyperparamSet({}))
    assert sorted(tmp_path.rglob("*")) == before
    assert load_best(registry) == 1.0


def test_a_metric_that_cannot_be_stored_is_named_before_anything_is_written(tmp_path: Path) -> None:
    metrics = EvalMetrics(1.0, {"confusion": object()})  # pyright: ignore[reportArgumentType]
    with pytest.raises(ContractViolationError, match="confusion"):
        CheckpointRegistry(tmp_path / "a").save(OneWeightAgent(), metrics, HyperparamSet({}))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("found", [{}, {"rate": 0.4}, {"rate": 0.5, "more": 1}, {"rate": True}])
def test_an_agent_that_gives_back_other_hyperparameters_breaks_its_contract(
    tmp_path: Path, found: dict[str, Any]
) -> None:
    class Stubborn(OneWeightAgent):
        def set_hyperparams(self, hp: HyperparamSet) -> None:
            self.params = found

    registry = CheckpointRegistry(tmp_path)
    save(registry, 1.0)
    with pytest.raises(ContractViolationError, match="hyperparameters"):
        registry.load_best(Stubborn())


def test_an_error_of_the_agent_comes_out_as_it_was_raised(tmp_path: Path) -> None:
    class Failing(OneWeightAgent):
        def load_weights(self, path: str) -> None:
            raise FileNotFoundError("mine")

    registry = CheckpointRegistry(tmp_path)
    save(registry, 1.0)
    with pytest.raises(FileNotFoundError, match="mine"):
        registry.load_best(Failing())


def test_a_snapshot_that_is_pruned_while_it_is_loaded_is_not_found(tmp_path: Path) -> None:
    registry = CheckpointRegistry(tmp_path, max_snapshots=1)

    class Slow(OneWeightAgent):
        def load_weights(self, path: str) -> None:
            save(CheckpointRegistry(tmp_path, max_snapshots=1), 2.0)
            super().load_weights(path)

    with pytest.raises(CheckpointNotFoundError, match=FIRST):
        registry.load(save(registry, 1.0), Slow())


def test_a_save_within_a_save_works(tmp_path: Path) -> None:
    class Nested(OneWeightAgent):
        def save_weights(self, path: str) -> None:
            super().save_weights(path)
            save(CheckpointRegistry(tmp_path), 5.0)

    registry = CheckpointRegistry(tmp_path)
    registry.save(Nested(7.0), EvalMetrics(7.0), HyperparamSet({}))
    assert scores(registry) == [5.0, 7.0]


def test_threads_save_one_after_another(tmp_path: Path) -> None:
    registries = [CheckpointRegistry(tmp_path, max_snapshots=100) for _ in range(4)]

    def work(registry: CheckpointRegistry, first: int) -> None:
        for number in range(first, first + 5):
            save(registry, float(number))

    threads = [
        threading.Thread(target=work, args=(registry, 10 * index))
        for index, registry in enumerate(registries)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(scores(registries[0])) == [10.0 * i + j for i in range(4) for j in range(5)]
    assert [load(registries[0], found) for found in registries[0].snapshots()] == scores(
        registries[0]
    )


def test_saving_says_nothing_above_info(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    registry = CheckpointRegistry(tmp_path, max_snapshots=1)
    for score in (1.0, 2.0, 3.0):
        save(registry, score)
    load_best(registry)
    assert caplog.records == []
