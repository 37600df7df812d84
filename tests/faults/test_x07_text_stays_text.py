"""X07: text in hyperparameters, overrides and settings stays text, whatever it looks like."""

import re
from pathlib import Path
from typing import cast

import pytest

from optix_cli.agent_factory import find_factory
from optix_cli.app import main
from optix_cli.overrides import parse_value
from optix_core import EvalMetrics, HyperparamSet
from optix_core.checkpoint_registry import CheckpointRegistry
from optix_core.errors import ConfigurationError
from optix_core.run_directory import RunDirectory

from .registry_scene import WeightAgent


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A file that appears where anything below is executed."""
    return tmp_path / "canary"


def attacks(canary: Path) -> list[str]:
    return [
        f"__import__('os').system('touch {canary}')",
        f"$(touch {canary})",
        f"`touch {canary}`",
        f"!!python/object/apply:os.system ['touch {canary}']",
        f"{{{{ ''.__class__.__mro__[1].__subclasses__() }}}} {{% include '{canary}' %}}",
        f"cos\nsystem\n(S'touch {canary}'\ntR.",
        f"file://{canary}",
        "%(asctime)s %s {0.__class__}",
        "nan; import os",
    ]


def test_hyperparameters_come_back_as_the_text_they_were(tmp_path: Path, canary: Path) -> None:
    given = {f"value {number}": text for number, text in enumerate(attacks(canary))}
    given |= dict.fromkeys(attacks(canary), "a key")
    registry, agent = CheckpointRegistry(tmp_path / "run"), WeightAgent()
    registry.save(WeightAgent(), EvalMetrics(1.0), HyperparamSet(given))
    registry.load_best(agent)
    assert agent.get_hyperparams().params == given
    assert not canary.exists()


def test_what_was_asked_comes_back_as_the_text_it_was(tmp_path: Path, canary: Path) -> None:
    asked = {"agent": {f"value{number}": text for number, text in enumerate(attacks(canary))}}
    directory = RunDirectory(tmp_path / "run")
    directory.begin_run(asked)
    directory.journal.append("run_started", run=1, asked=asked)
    directory.end_run()
    assert directory.read_asked() == asked
    assert [event["asked"] for event in directory.journal.read()] == [asked]
    assert not canary.exists()


@pytest.mark.parametrize("default", ["text", None])
def test_overrides_of_the_command_line_stay_text(canary: Path, default: str | None) -> None:
    for text in attacks(canary):
        assert parse_value("note", text, default) == text
    assert not canary.exists()


@pytest.mark.parametrize("default", [1, 0.5, True])
def test_overrides_of_numbers_take_no_expressions(canary: Path, default: object) -> None:
    for text in [*attacks(canary), "1+1", "2**9**9", "(1)", "range(3)", "1_0 if 1 else 2"]:
        with pytest.raises(ConfigurationError, match="note"):
            parse_value("note", text, default)
    assert not canary.exists()


def test_overrides_of_lists_are_lists_of_text(canary: Path) -> None:
    for text in attacks(canary):
        items = parse_value("note", text, ["text"])
        assert isinstance(items, list)
        assert {type(item) for item in cast("list[object]", items)} <= {str}
    assert not canary.exists()


def test_a_name_that_is_no_known_agent_is_not_looked_for(canary: Path) -> None:
    for text in attacks(canary):
        with pytest.raises(ConfigurationError, match=r"no installed agent|cannot be imported"):
            find_factory(text)
    assert not canary.exists()


def test_a_run_keeps_hostile_text_as_text(
    tmp_path: Path,
    canary: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "noted.py").write_text(NOTED_AGENT)
    monkeypatch.syspath_prepend(tmp_path)  # pyright: ignore[reportUnknownMemberType]
    hostile = attacks(canary)[0]
    run = ["--agent", "noted:make_agent", "--run-dir", "run", "--seed", "0"]
    command = ["train", "CartPole-v1", *run, "--max-steps", "2048", "--set", f"note={hostile}"]
    assert main(command) == 0
    assert main(["evaluate", "run", "--agent", "noted:make_agent", "--episodes", "2"]) == 0
    assert main(["report", "run"]) == 0
    best = CheckpointRegistry(tmp_path / "run").best
    assert best is not None
    assert best.hyperparams.params["note"] == hostile
    assert "__import__" in capsys.readouterr().out
    assert not canary.exists()


def test_evaluate_and_report_import_nothing_that_a_file_names(
    tmp_path: Path,
    canary: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.py").write_text(f"open({str(canary)!r}, 'w')\nmake_agent = None\n")
    (tmp_path / "noted.py").write_text(NOTED_AGENT)
    monkeypatch.syspath_prepend(tmp_path)  # pyright: ignore[reportUnknownMemberType]
    run = ["--agent", "noted:make_agent", "--run-dir", "run", "--seed", "0"]
    assert main(["train", "CartPole-v1", *run, "--max-steps", "2048"]) == 0
    for name in ("run.toml", "events.jsonl"):
        path = tmp_path / "run" / name
        poisoned = re.sub(r"noted:make_agent", "evil:make_agent", path.read_text())
        path.write_text(poisoned.replace("CartPole-v1", "evil:CartPole-v1"))
    assert main(["report", "run"]) == 0
    capsys.readouterr()
    assert main(["evaluate", "run"]) == 1
    assert "--agent evil:make_agent; give it again" in capsys.readouterr().err
    assert main(["evaluate", "run", "--agent", "noted:make_agent"]) == 1
    assert "--env evil:CartPole-v1; give it again" in capsys.readouterr().err
    assert not canary.exists()


NOTED_AGENT = """
from optix_core import HyperparamSet
from tests.faults.registry_scene import WeightAgent


class NotedAgent(WeightAgent):
    def __init__(self):
        super().__init__(0.0, note="none")


def make_agent():
    return NotedAgent()
"""
