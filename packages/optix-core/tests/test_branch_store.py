"""Snapshots of branches: all that a name stands for, there until it is released."""

import math
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optix_core import EvalMetrics, HyperparamSet, StepSizeController, branch_state
from optix_core.branch_state import read_branch_state, write_branch_state
from optix_core.branch_store import BranchStore
from optix_core.errors import (
    CheckpointCorruptError,
    CheckpointError,
    CheckpointNotFoundError,
    ContractViolationError,
)
from optix_core.steering_seat import SteeringSeat
from optix_core.testing import FakeAgent

from .steered_agents import window
from .units_elsewhere import PACKAGE, Sampler

DATA = Path(__file__).parent / "data"

pytestmark = pytest.mark.usefixtures("without_sync")


def steered(seed: int) -> SteeringSeat:
    """A seat that steers whatever agent comes."""
    return SteeringSeat(StepSizeController(np.random.default_rng(seed)), is_asked=True)


class Scene:
    """A learner that is steered, and the store that keeps it."""

    def __init__(self, path: Path, seed: int) -> None:
        self.agent = Sampler(seed)
        self.store = BranchStore(path, steered(seed))

    def learn(self, window_id: int = 0) -> None:
        data, steering = window(20, window_id=window_id), self.store.steering
        steering.settle(self.agent, EvalMetrics(0.0), is_tuned=True)
        steering.before_learn(self.agent, data)
        steering.oversee(self.agent, data, lambda: self.agent.learn(data))

    def everything(self) -> bytes:
        everything = (self.agent.state_dict(), self.agent.weights, self.agent.params)
        return msgspec.json.encode(
            (everything, self.store.steering.state_dict()), enc_hook=np.ndarray.tolist
        )

    @property
    def there(self) -> set[str]:
        return {snapshot.snapshot_id for snapshot in self.store.registry.snapshots()}


def test_a_name_stands_for_all_that_the_learner_is(tmp_path: Path) -> None:
    scene = Scene(tmp_path, 1)
    scene.learn()
    before, name = scene.everything(), scene.store.save(scene.agent)
    scene.learn(1)
    assert scene.everything() != before
    scene.store.load(name, scene.agent)
    assert scene.everything() == before
    other = Scene(tmp_path, 2)
    other.store.load(name, other.agent)
    assert other.everything() == before
    for each in (scene, other):
        each.learn(2)
    assert scene.everything() == other.everything()


def test_an_agent_without_a_state_brings_its_weights_and_hyperparameters(tmp_path: Path) -> None:
    store = BranchStore(tmp_path, SteeringSeat(None))
    name = store.save(FakeAgent({"rate": 0.5}))
    agent = FakeAgent({"rate": 0.1})
    store.load(name, agent)
    assert agent.get_hyperparams().params == {"rate": 0.5}


def test_of_a_snapshot_of_an_earlier_version_the_rest_stays_as_it_is(tmp_path: Path) -> None:
    scene = Scene(tmp_path, 1)
    metrics, hyperparams = EvalMetrics(math.nan), HyperparamSet(dict(scene.agent.params))
    early = scene.store.registry.save(scene.agent, metrics, hyperparams)
    scene.learn()
    state, steering = scene.agent.state_dict(), scene.store.steering.state_dict()
    scene.store.load(early.snapshot_id, scene.agent)
    assert scene.agent.weights["w"] == 0.0
    np.testing.assert_equal(scene.agent.state_dict(), state)
    assert scene.store.steering.state_dict() == steering


def test_what_was_steered_cannot_go_on_unsteered(tmp_path: Path) -> None:
    scene = Scene(tmp_path, 1)
    scene.learn()
    name = scene.store.save(scene.agent)
    with pytest.raises(CheckpointCorruptError, match="give autotune=True"):
        BranchStore(tmp_path, SteeringSeat(None)).load(name, Sampler(0))


def first_form(path: Path) -> Scene:
    """What was saved into `data/branches-1` when states of branches were first written."""
    scene = Scene(path, 3)
    scene.agent.weights = {"w": np.array([0.25]), "momentum": np.array([-1.0])}
    scene.agent.params = {"learning_rate": 0.01, "decay": 0.9}
    scene.agent.memory.values = [0.5, -1.5]
    return scene


def test_the_stored_example_of_the_first_form_is_read(tmp_path: Path) -> None:
    read = Scene(DATA / "branches-1", 4)
    read.store.load("snapshot-000001", read.agent)
    assert read.everything() == first_form(tmp_path).everything()


@settings(max_examples=40)
@given(
    ops=st.lists(
        st.tuples(st.sampled_from(["save", "hold", "release", "keep state"]), st.integers(0, 3)),
        max_size=15,
    )
)
def test_a_snapshot_stays_until_it_is_released_as_often(ops: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as path:
        scene, holds = Scene(Path(path), 0), Counter[str]()
        there, released, kept = set[str](), set[str](), set[str]()
        names: list[str] = []
        for op, index in ops:
            name = names[index % len(names)] if names else "snapshot-000009"
            if op == "save":
                names.append(scene.store.save(scene.agent))
                there.add(names[-1])
            elif op == "hold" and name in there:
                scene.store.hold(name)
                holds[name] += 1
            elif op == "hold":
                with pytest.raises(CheckpointNotFoundError):
                    scene.store.hold(name)
            elif op == "release":
                scene.store.release(name)
                holds[name] = max(0, holds[name] - 1)
                released.add(name)
                there -= {each for each in released if not holds[each] and each not in kept}
            else:
                scene.store.registry.hold_pinned()
                kept = {each for each in holds if holds[each]}
            assert scene.there == there
        scene.store.clear()
        assert scene.there == there & kept


def test_processes_that_share_a_store_take_nothing_from_each_other(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from tests.test_branch_store import Scene\n"
        "scene = Scene(Path(sys.argv[1]), 7); "
        "print(*[scene.store.save(scene.agent) for _ in range(2)])"
    )
    scene = Scene(tmp_path, 1)
    parent = scene.store.save(scene.agent)
    scene.store.hold(parent)
    command = [sys.executable, "-c", script, str(tmp_path)]
    done = subprocess.run(command, cwd=PACKAGE, check=True, capture_output=True, text=True)
    children = set(done.stdout.split())
    assert scene.there == {parent, *children}
    own = scene.store.save(scene.agent)
    scene.store.release(own)
    scene.store.release(parent)
    assert scene.there == children
    for child in children:
        scene.store.hold(child)
        scene.store.release(child)
    assert scene.there == set()


def test_what_cannot_be_removed_is_logged_and_goes_with_a_later_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError("read-only")

    scene = Scene(tmp_path, 1)
    one, other = (scene.store.save(scene.agent) for _ in range(2))
    with monkeypatch.context() as patched:
        patched.setattr("os.rename", refuse)
        scene.store.release(one)
    assert "read-only" in caplog.text
    assert scene.there == {one, other}
    scene.store.release(other)
    assert scene.there == set()


@settings(max_examples=40)
@given(st.recursive(st.none() | st.integers() | st.floats(allow_nan=False), st.lists))
def test_a_state_comes_back_as_it_was(value: Any) -> None:
    state = {"agent": {"value": value, "array": np.arange(3.0)}, "steering": None}
    with tempfile.TemporaryDirectory() as path:
        assert read_branch_state(Path(path)) is None
        write_branch_state(Path(path), state)
        np.testing.assert_equal(read_branch_state(Path(path)), state)


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (b'{"schema_version": 2, "state": {}}', CheckpointError, "reads up to 1; update"),
        (b'{"schema_version": 1, "sta', CheckpointCorruptError, "is damaged"),
        (b"\xff\xfe", CheckpointCorruptError, "is damaged"),
        (b'{"schema_version": 1, "state": {}, "more": 0}', CheckpointCorruptError, "is damaged"),
        (b'{"schema_version": 1, "state": {"a": {"$array": "0"}}}', CheckpointCorruptError, "not"),
        (b'{"schema_version": 1, "state": {"$float": "nan"}}', CheckpointCorruptError, "no map"),
    ],
)
def test_a_state_of_another_form_is_refused(
    tmp_path: Path, data: bytes, error: type[CheckpointError], message: str
) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "state.json").write_bytes(data)
    with pytest.raises(error, match=message):
        read_branch_state(tmp_path)


def test_a_state_without_its_parts_is_damaged(tmp_path: Path) -> None:
    scene = Scene(tmp_path, 0)
    snapshot = scene.store.registry.save(
        scene.agent,
        EvalMetrics(math.nan),
        HyperparamSet(dict(scene.agent.params)),
        write_more=lambda folder: write_branch_state(folder, {"agent": None}),
    )
    with pytest.raises(CheckpointCorruptError, match="lacks 'steering'"):
        scene.store.load(snapshot.snapshot_id, scene.agent)


def test_a_state_that_takes_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(branch_state, "MAX_TEXT_BYTES", 100)
    with pytest.raises(ContractViolationError, match="hold its numbers in arrays"):
        write_branch_state(tmp_path, {"agent": list(range(99))})
