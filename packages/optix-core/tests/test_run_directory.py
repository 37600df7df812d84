"""One run at a time goes on in a directory, and what earlier ones left stays."""

import subprocess
import sys
from pathlib import Path

import pytest

from optix_core import RunDirectory
from optix_core.errors import (
    CheckpointCorruptError,
    CheckpointError,
    CheckpointLockedError,
    CheckpointNotFoundError,
    ConfigurationError,
)
from optix_core.run_directory import MAX_RUN_ID

ASKED = {"run": {"seed": 3, "tuner": None}, "loop": {"base_interval": 1, "margins": [0.5, 1.0]}}

OTHER_PROCESS = """
import sys
from optix_core import RunDirectory
from optix_core.errors import CheckpointLockedError
directory = RunDirectory(sys.argv[1])
try:
    print(directory.begin_run({"run": {"seed": 4}}))
except CheckpointLockedError as error:
    print("locked:", error)
"""


@pytest.fixture
def directory(tmp_path: Path) -> RunDirectory:
    return RunDirectory(tmp_path / "run")


def _begin_elsewhere(directory: RunDirectory) -> str:
    """What a process of its own gets when it begins a run here."""
    done = subprocess.run(
        [sys.executable, "-c", OTHER_PROCESS, str(directory.path)],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def test_what_was_asked_comes_back_without_what_was_none(directory: RunDirectory) -> None:
    assert directory.begin_run(ASKED) == 1
    assert directory.read_asked() == {"run": {"seed": 3}, "loop": ASKED["loop"]}
    directory.end_run()
    directory.end_run()


def test_a_run_keeps_others_out_until_it_ends(directory: RunDirectory) -> None:
    directory.begin_run(ASKED)
    with pytest.raises(CheckpointLockedError, match="a run is going on"):
        RunDirectory(directory.path).begin_run(ASKED)
    with pytest.raises(CheckpointLockedError):
        RunDirectory(directory.path).resume_run()
    assert _begin_elsewhere(directory).startswith("locked: a run is going on")
    assert directory.read_asked()["run"] == {"seed": 3}
    directory.end_run()
    assert _begin_elsewhere(directory) == "2"


def test_an_earlier_run_stays_beside_the_new_one_but_for_its_state(
    directory: RunDirectory, caplog: pytest.LogCaptureFixture
) -> None:
    directory.begin_run(ASKED)
    first = (directory.path / "run.toml").read_bytes()
    directory.state_path.mkdir()
    (directory.state_path / "agent").write_bytes(b"weights")
    directory.end_run()
    assert directory.begin_run({"run": {"seed": 4}}) == 2
    directory.end_run()
    assert (directory.path / "run-1.toml").read_bytes() == first
    assert directory.read_asked() == {"run": {"seed": 4}}
    assert not directory.state_path.exists()
    assert "holds an earlier run; run 2" in caplog.text


def test_a_run_goes_on_under_its_number(directory: RunDirectory) -> None:
    directory.begin_run(ASKED)
    directory.end_run()
    directory.begin_run(ASKED)
    directory.end_run()
    assert directory.resume_run() == 2
    directory.end_run()


def test_where_no_run_was_none_goes_on(directory: RunDirectory) -> None:
    with pytest.raises(CheckpointNotFoundError):
        directory.resume_run()
    assert not directory.path.exists()
    directory.path.mkdir()
    with pytest.raises(CheckpointNotFoundError):
        directory.resume_run()
    with pytest.raises(CheckpointNotFoundError):
        directory.read_asked()
    assert directory.runs() == []
    assert directory.begin_run(ASKED) == 1
    directory.end_run()


def test_numbers_are_never_given_twice_though_run_toml_was_renamed(
    directory: RunDirectory,
) -> None:
    directory.begin_run(ASKED)
    directory.end_run()
    (directory.path / "run.toml").rename(directory.path / "run-7.toml")
    (directory.path / "run-007.toml.bak").touch()
    assert directory.begin_run(ASKED) == 8
    directory.end_run()
    assert (directory.path / "run-7.toml").exists()


def test_the_journal_alone_counts_too(directory: RunDirectory) -> None:
    directory.journal.append("run_started", run=5)
    assert directory.begin_run(ASKED) == 6
    directory.end_run()


@pytest.mark.parametrize(
    "text",
    [
        b"\xff\xfe",
        b"schema_version = ",
        b"",
        b'schema_version = 1\nrun_id = "1"\n[asked]\n',
        b"schema_version = 1\nrun_id = true\n[asked]\n",
        b"schema_version = 1\nrun_id = 1\nasked = 3\n",
        b"schema_version = 1\nrun_id = -1\n[asked]\n",
        b"schema_version = 1\nrun_id = 1000000000000000\n[asked]\n",
        b"schema_version = 1\nrun_id = " + b"9" * 4000 + b"\n[asked]\n",
        b"schema_version = " + b"9" * 5000,
    ],
)
def test_a_damaged_run_toml_is_said_and_set_aside(
    directory: RunDirectory, caplog: pytest.LogCaptureFixture, text: bytes
) -> None:
    directory.begin_run(ASKED)
    directory.end_run()
    (directory.path / "run.toml").write_bytes(text)
    with pytest.raises(CheckpointCorruptError):
        directory.read_asked()
    with pytest.raises(CheckpointCorruptError):
        directory.resume_run()
    run_id = directory.begin_run({"run": {"seed": 4}})
    directory.end_run()
    assert run_id == 2
    assert (directory.path / "run-1.toml").read_bytes() == text
    assert directory.read_asked() == {"run": {"seed": 4}}
    assert "run.toml" in caplog.text


def test_no_number_is_given_beyond_the_last(directory: RunDirectory) -> None:
    directory.journal.append("run_started", run=MAX_RUN_ID + 1)
    directory.journal.append("run_started", run=MAX_RUN_ID - 1)
    assert directory.begin_run(ASKED) == MAX_RUN_ID
    directory.end_run()
    before = (directory.path / "run.toml").read_bytes()
    with pytest.raises(CheckpointError, match="no number is left"):
        directory.begin_run(ASKED)
    assert (directory.path / "run.toml").read_bytes() == before


def test_what_a_newer_version_wrote_stays_as_it_is(directory: RunDirectory) -> None:
    directory.path.mkdir()
    newer = b"schema_version = 2\nrun_id = 1\n[asked]\n"
    (directory.path / "run.toml").write_bytes(newer)
    for attempt in (directory.read_asked, directory.resume_run):
        with pytest.raises(CheckpointError, match="update optix-core"):
            attempt()
    with pytest.raises(CheckpointError, match="update optix-core"):
        directory.begin_run(ASKED)
    assert (directory.path / "run.toml").read_bytes() == newer
    (directory.path / "run.toml").unlink()
    assert directory.begin_run(ASKED) == 1
    directory.end_run()


def test_what_has_no_toml_form_changes_nothing(directory: RunDirectory) -> None:
    with pytest.raises(ConfigurationError, match=r"agent\.model = .*has no TOML form"):
        directory.begin_run({"agent": {"model": object()}})
    assert not directory.path.exists()


def test_runs_are_told_from_the_journal(directory: RunDirectory) -> None:
    directory.journal.append("run_started", run=2)
    directory.journal.append("run_started", run=1)
    directory.journal.append("remark")
    directory.journal.append("run_stopped", run=True)
    directory.journal.append("run_stopped", run=2)
    one, two = directory.runs()
    assert (one.run_id, one.n_events, one.last_event["event"]) == (1, 1, "run_started")
    assert (two.run_id, two.n_events, two.last_event["event"]) == (2, 2, "run_stopped")
    assert two.first_event == {"event": "run_started", "run": 2}
