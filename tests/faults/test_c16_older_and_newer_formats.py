"""C16: every format that was ever written is read; a newer one is refused and left as it is.

`data/run-<n>` are directories as some version left them, never written again, `data/state-<n>`
those of runs that may go on, by the version of their state. A change of format adds one:
`make_golden` below, or in `golden_state`, makes it. Every later version must read all of them.
"""

import json
import math
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from optix_core import _snapshot_record, journal, run_directory, state_store, weights_file
from optix_core.checkpoint_registry import CheckpointRegistry
from optix_core.errors import CheckpointCorruptError, CheckpointError
from optix_core.run_directory import RunDirectory
from optix_core.state_store import StateStore
from optix_core.weights_file import load_arrays

from . import golden_state
from .golden_state import observations
from .registry_scene import WeightAgent, load_best, save, scores, tree
from .runs import optimizer

DATA = Path(__file__).parent / "data"
GOLDEN = sorted(DATA.glob("run-*"))
STATES = sorted(DATA.glob("state-*"))


def make_golden(directory: Path) -> None:
    """Two runs, the second with a score that is no number."""
    optimizer(directory, [1.0, 3.0, 2.0]).run()
    optimizer(directory, [0.5, math.nan, 2.5]).run()
    for name in (".run.lock", ".writer.lock"):
        (directory / name).unlink()


def versions(directory: Path) -> dict[str, int]:
    """The format of each kind of file, as it says itself."""
    first_line = (directory / "events.jsonl").read_text().splitlines()[0]
    header = json.loads(first_line)
    record = json.loads(next(directory.glob("snapshot-*/snapshot.json")).read_text())
    toml = re.search(
        r"^schema_version = (\d+)$", (directory / "run.toml").read_text(), re.MULTILINE
    )
    weights = next(directory.glob("snapshot-*/weights")).read_bytes()
    stated = re.search(rb'"schema_version":"(\d+)"', weights)
    assert toml is not None
    assert stated is not None
    return {
        "journal": header["schema_version"],
        "record": record["schema_version"],
        "run.toml": int(toml[1]),
        "weights": int(stated[1]),
    }


def test_the_latest_golden_directory_is_of_todays_formats() -> None:
    assert versions(GOLDEN[-1]) == {
        "journal": journal.SCHEMA_VERSION,
        "record": _snapshot_record.SCHEMA_VERSION,
        "run.toml": run_directory.SCHEMA_VERSION,
        "weights": weights_file.SCHEMA_VERSION,
    }


@pytest.fixture(params=GOLDEN, ids=lambda path: path.name)
def golden(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of a directory that some version left."""
    shutil.copytree(request.param, tmp_path / "run")
    return tmp_path / "run"


def test_older_directories_are_read(golden: Path) -> None:
    before = tree(golden)
    registry = CheckpointRegistry(golden)
    assert scores(registry) == [1.0, 3.0, 0.5, 2.5]
    assert [snapshot.run_id for snapshot in registry.snapshots()] == [1, 1, 2, 2]
    # A policy's weight counts the windows that it had learned from.
    agent, weights = WeightAgent(), list[float]()
    for snapshot in registry.snapshots():
        registry.load(snapshot, agent)
        weights.append(agent.weight)
    assert weights == [0.0, 1.0, 0.0, 2.0]
    assert load_best(registry) == 1.0
    directory = RunDirectory(golden)
    asked = directory.read_asked()
    assert (asked["run"]["seed"], asked["loop"]["max_snapshots"]) == (0, 10)
    assert [run.last_event["stop_reason"] for run in directory.runs()] == ["stopped"] * 2
    windows = [event for event in directory.journal.read() if event["event"] == "window"]
    assert [window["score"] for window in windows] == [1.0, 3.0, 2.0, 0.5, None, 2.5]
    assert tree(golden) == before


def test_older_directories_are_written_on(golden: Path) -> None:
    assert optimizer(golden, [9.0]).run().run_id == 3
    assert scores(CheckpointRegistry(golden)) == [1.0, 3.0, 0.5, 2.5, 9.0]
    assert (golden / "run-1.toml").is_file()
    assert (golden / "run-2.toml").is_file()


def raised(path: Path, pattern: str) -> None:
    """Let a file say that a later version wrote it."""
    text, n = re.subn(pattern.encode(), rb"\g<1>99", path.read_bytes(), count=1)
    assert n == 1
    path.write_bytes(text)


NEWER: list[tuple[str, str, Callable[[Path], object]]] = [
    ("snapshot-000001/snapshot.json", r'("schema_version":)\d+', lambda root: load_best(_of(root))),
    ("snapshot-000001/snapshot.json", r'("schema_version":)\d+', lambda root: save(_of(root), 1.0)),
    ("manifest.json", r'("schema_version":)\d+', lambda root: save(_of(root), 1.0)),
    ("run.toml", r"(schema_version = )\d+", lambda root: RunDirectory(root).read_asked()),
    ("run.toml", r"(schema_version = )\d+", lambda root: RunDirectory(root).resume_run()),
    ("run.toml", r"(schema_version = )\d+", lambda root: RunDirectory(root).begin_run({})),
    ("events.jsonl", r'("schema_version":)\d+', lambda root: RunDirectory(root).runs()),
    ("events.jsonl", r'("schema_version":)\d+', lambda root: RunDirectory(root).begin_run({})),
    (
        "snapshot-000001/weights",
        r'("schema_version":")\d+',
        lambda root: load_arrays(root / "snapshot-000001" / "weights"),
    ),
]


def _of(root: Path) -> CheckpointRegistry:
    return CheckpointRegistry(root)


@pytest.mark.parametrize(("name", "pattern", "use"), NEWER)
def test_a_newer_file_is_refused_and_left_as_it_is(
    tmp_path: Path, name: str, pattern: str, use: Callable[[Path], object]
) -> None:
    root = tmp_path / "run"
    shutil.copytree(GOLDEN[-1], root)
    raised(root / name, pattern)
    before = {path: data for path, data in tree(root).items() if not path.endswith(".lock")}
    with pytest.raises(CheckpointError, match="update optix-core") as refusal:
        use(root)
    assert not isinstance(refusal.value, CheckpointCorruptError)
    assert {path: data for path, data in tree(root).items() if not path.endswith(".lock")} == before


def state_version(directory: Path) -> int:
    (record,) = directory.glob("state/*/state.json")
    return json.loads(record.read_text())["schema_version"]


def test_there_is_a_state_of_every_version() -> None:
    assert [state_version(path) for path in STATES] == [*range(1, state_store.SCHEMA_VERSION + 1)]


@pytest.fixture(params=STATES, ids=lambda path: path.name)
def saved_run(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of a run that may go on."""
    shutil.copytree(request.param, tmp_path / "run")
    return tmp_path / "run"


def test_older_states_are_read(saved_run: Path) -> None:
    before = tree(saved_run)
    version = state_version(saved_run)
    saved = StateStore(saved_run / "state").load()
    assert tree(saved_run) == before
    assert saved is not None
    run = saved.tree["run"]
    assert run["progress"]["window_id"] == 3
    assert run["learner"]["hyperparams"].keys() == {"learning_rate", "decay"}
    assert load_arrays(saved.files / "learner")["kernel"].shape == (4, 2)
    if version == 1:
        assert saved.rows is None
    else:
        assert saved.rows is not None
        np.testing.assert_array_equal(saved.rows["step"][:, :4], observations(20, 120))
        assert set(saved.rows["step"][:, 4]) == {0.0, 1.0}


def test_runs_of_older_states_go_on(saved_run: Path) -> None:
    version = state_version(saved_run)
    report = golden_state.optimizer(saved_run, version, 5).run()
    assert (report.run_id, report.windows, report.steps) == (1, 5, 200)
    events = list(RunDirectory(saved_run).journal.read())
    assert [e["window"] for e in events if e["event"] == "window"] == [0, 1, 2, 3, 4]
    assert not [e for e in events if e["event"] == "not_restored"]
    saved = StateStore(saved_run / "state").load()
    assert saved is not None
    if version > 1:
        assert saved.rows is not None
        np.testing.assert_array_equal(saved.rows["step"][:, :4], observations(100, 200))


def test_a_newer_state_is_refused_and_left_as_it_is(saved_run: Path) -> None:
    version = state_version(saved_run)
    (record,) = saved_run.glob("state/*/state.json")
    raised(record, r'("schema_version":)\d+')
    before = {path: data for path, data in tree(saved_run).items() if not path.endswith(".lock")}
    with pytest.raises(CheckpointError, match="update optix-core") as refusal:
        golden_state.optimizer(saved_run, version, 5).run()
    assert not isinstance(refusal.value, CheckpointCorruptError)
    after = {path: data for path, data in tree(saved_run).items() if not path.endswith(".lock")}
    assert after == before
