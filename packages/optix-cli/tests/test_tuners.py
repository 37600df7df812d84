"""`optix train --tuner`: known names, the unknown ones, and what branches cost."""

import sys
import tomllib
from pathlib import Path

import pytest

from optix_cli.tuners import make_tuner
from optix_core import BackoffOptimizer, OptunaOptimizer, PopulationOptimizer

from .conftest import RunCommand
from .test_commands import TRAIN, journal_of

RUN_DIR = Path("runs/CartPole-v1-seed100")


def test_names_make_tuners() -> None:
    assert make_tuner("none") is None
    documented, evidence = make_tuner("backoff"), make_tuner("evidence")
    assert isinstance(documented, BackoffOptimizer)
    assert not documented.is_branching
    assert isinstance(evidence, BackoffOptimizer)
    assert evidence.is_branching
    assert isinstance(make_tuner("population"), PopulationOptimizer)
    assert isinstance(make_tuner("optuna"), OptunaOptimizer)
    assert make_tuner("population") is not make_tuner("population")


def test_an_unknown_name_is_an_error_that_lists_what_there_is(optix: RunCommand) -> None:
    done = optix(*TRAIN, "--tuner", "populaton")
    assert done.code == 1
    assert "unknown tuner 'populaton'. Did you mean population?" in done.err
    assert "There are none, backoff, evidence, optuna, population" in " ".join(done.err.split())
    assert not RUN_DIR.exists()


def test_without_optuna_the_error_says_what_to_install(
    optix: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    done = optix(*TRAIN, "--tuner", "optuna")
    assert done.code == 1
    assert "pip install optix-core[optuna]" in " ".join(done.err.split())
    assert not RUN_DIR.exists()


@pytest.mark.parametrize("name", ["evidence", "optuna"])
def test_branches_count_as_training(optix: RunCommand, name: str) -> None:
    done = optix(*TRAIN, "--tuner", name, "--max-steps", "4000")
    assert done.code == 0, done.err
    events = journal_of(RUN_DIR)
    (stopped,) = (event for event in events if event["event"] == "run_stopped")
    assert stopped["steps"] <= 4000
    units = [event for event in events if event["event"] == "unit"]
    assert sum(unit["windows"] for unit in units) == stopped["branch_windows"]
    n_branched = stopped["branch_windows"]
    assert n_branched > 0
    assert f"; {n_branched} more on branches" in done.out
    asked = tomllib.loads((RUN_DIR / "run.toml").read_text(encoding="utf-8"))["asked"]
    assert asked["train"]["tuner"] == name


def test_a_population_lets_a_learner_that_rises_train_alone(optix: RunCommand) -> None:
    done = optix(*TRAIN, "--tuner", "population", "--max-steps", "4000")
    assert done.code == 0, done.err
    (stopped,) = (event for event in journal_of(RUN_DIR) if event["event"] == "run_stopped")
    assert stopped["branch_windows"] == 0
    asked = tomllib.loads((RUN_DIR / "run.toml").read_text(encoding="utf-8"))["asked"]
    assert asked["train"]["tuner"] == "population"
