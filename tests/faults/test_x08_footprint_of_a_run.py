"""X08: a run writes into its own directory alone, for its owner alone, and calls nobody."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from .audited_run import Auditor
from .script import run_script


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What two runs of the command, with evaluation and report, touched."""
    home = tmp_path_factory.mktemp("footprint")
    run_script("audited_run", home / "runs")
    return json.loads((home / "told.json").read_text())


def test_nothing_is_written_elsewhere(told: dict[str, Any]) -> None:
    assert told["writes"] == []


def test_neither_network_nor_process_nor_loader_is_asked(told: dict[str, Any]) -> None:
    assert told["alien"] == []


def test_only_the_owner_may_look(told: dict[str, Any]) -> None:
    modes: dict[str, str] = told["modes"]
    assert {"runs/first/events.jsonl", "runs/second/run.toml"} <= modes.keys()
    assert sum(name.endswith("/weights") for name in modes) >= 2
    assert set(modes.values()) == {"0o700", "0o600"}


def test_the_auditor_hears(tmp_path: Path) -> None:
    auditor = Auditor(tmp_path / "allowed")
    (tmp_path / "allowed").mkdir()
    auditor.is_armed = True
    (tmp_path / "allowed" / "file").write_text("x")
    assert auditor.found == {"writes": [], "alien": []}
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    socket.socket().close()
    auditor.is_armed = False
    assert [line.split()[0] for line in auditor.found["writes"]] == ["open", "os.mkdir"]
    assert [line.split()[0] for line in auditor.found["alien"]] == ["socket.__new__"]
