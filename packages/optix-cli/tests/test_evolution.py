"""Runs that spawn variants: trained, saved, tested, played again and reported."""

import itertools
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

from optix_cli.evolution import variant_seeds
from optix_core.seeds import SeedPlan

from .conftest import RunCommand
from .test_commands import AGENT, TRAIN, journal_of, without_times

EVOLVE = (*TRAIN, "--spawns", "2", "--ensemble", "2")
RUN_DIR = "runs/CartPole-v1-seed100"


def test_variants_train_and_act_together(optix: RunCommand) -> None:
    done = optix(*EVOLVE)
    assert done.code == 0, done.err
    events = journal_of(Path(RUN_DIR))
    kinds = [event["event"] for event in events]
    assert kinds.count("spawned") == kinds.count("round_started") == 2
    assert kinds[-3:] == ["tested", "ensemble_saved", "ensemble_tested"]
    saved, tested = events[-2:]
    assert saved["metrics"]["n_members"] == len(saved["hyperparams"]) == 2
    assert tested["n_episodes"] == 6
    assert tested["greedy"]
    assert 0.0 <= tested["disagreement"] <= 1.0
    (selected,) = [event for event in events if event["event"] == "ensemble_selected"]
    ensemble = events[kinds.index("ensemble")]["status"]["agents"]
    acting = [member["index"] for member in ensemble if member["weight"] > 0]
    assert acting == selected["members"]
    assert 60 <= selected["episodes"] <= 90
    stopped = events[kinds.index("run_stopped")]
    assert 0 < selected["steps"] < stopped["validation_steps"]
    assert "disagreement" not in next(event for event in events if event["event"] == "tested")
    assert done.out.count("Training Complete") == 1
    assert [p.name for p in Path(RUN_DIR, "ensemble").glob(".tmp-*")] == []


def test_run_toml_says_how_many_variants_were_asked_for(optix: RunCommand) -> None:
    optix(*EVOLVE, "--max-steps", "400")
    asked = tomllib.loads(Path(RUN_DIR, "run.toml").read_text(encoding="utf-8"))["asked"]
    assert (asked["train"]["spawns"], asked["train"]["ensemble"]) == (2, 2)


def test_the_ensemble_is_played_again(optix: RunCommand) -> None:
    trained = optix(*EVOLVE)
    (score,) = re.findall(r"(\S+ \(95 % .*), the ensemble$", trained.out, re.MULTILINE)
    command = ("evaluate", RUN_DIR, *AGENT)
    assert f"optix {' '.join(command)} --ensemble" in trained.out
    again = optix(*command, "--ensemble", "--episodes", "6")
    assert again.code == 0, again.err
    assert score in again.out
    assert "the ensemble of run 1" in again.out
    (told,) = re.findall(r"^ +(\S+ disagreement between its members)$", trained.out, re.MULTILINE)
    assert told in again.out


def test_the_report_shows_rounds_lineage_and_weights(optix: RunCommand) -> None:
    trained = optix(*EVOLVE)
    reported = optix("report", RUN_DIR).out
    assert trained.out.endswith(reported)
    numbers = re.findall(r"^ +(?:Rounds +)?(\d): ([\d,]+) windows?, ", reported, re.MULTILINE)
    assert [number for number, _ in numbers] == ["1", "2", "3"]
    windows = [event for event in journal_of(Path(RUN_DIR)) if event["event"] == "window"]
    assert sum(int(count) for _, count in numbers) == len(windows)
    parents = re.findall(r"from (\S+) \(.*\), noise \S+, learning_rate \S+ → ", reported)
    assert len(parents) == 2
    assert re.search(r"^  Ensemble +2 members, 1 pruned, 2 of 2 spawns", reported, re.MULTILINE)
    weights = re.findall(r"weight ([\d.]+), mean score ", reported)
    assert len(weights) == 2
    (chosen,) = re.findall(r"^ +(.*) chosen on \d+ fresh episodes", reported, re.MULTILINE)
    assert re.match(r"0, 1 act together: |[01] acts alone, ", chosen)


def test_the_same_seed_gives_the_same_evolution(optix: RunCommand) -> None:
    for name in ("a", "b"):
        assert optix(*EVOLVE, "--run-dir", name).code == 0
    first, second = ([without_times(event) for event in journal_of(Path(name))] for name in "ab")
    assert first == second


def test_a_run_without_time_for_a_variant_has_no_ensemble(optix: RunCommand) -> None:
    done = optix(*EVOLVE, "--max-steps", "200")
    assert done.code == 0, done.err
    assert not Path(RUN_DIR, "ensemble").exists()
    assert re.search(r"^  Ensemble +1 member, 0 pruned, 0 of 2 spawns", done.out, re.MULTILINE)
    refused = optix("evaluate", RUN_DIR, *AGENT, "--ensemble")
    assert refused.code == 1
    assert f"there is no ensemble in {RUN_DIR}" in refused.err


def test_a_damaged_ensemble_is_refused(optix: RunCommand) -> None:
    optix(*EVOLVE)
    (member,) = Path(RUN_DIR, "ensemble").glob("*/weights/member-1/weights")
    member.write_bytes(member.read_bytes()[:-8])
    refused = optix("evaluate", RUN_DIR, *AGENT, "--ensemble")
    assert refused.code == 1
    assert "checksums" in refused.err


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        (("--spawns", "-1"), "--spawns cannot be negative, got -1"),
        (("--ensemble", "3"), "--ensemble 3 needs variants to take in; add --spawns K"),
        (("--spawns", "1", "--ensemble", "1"), "--ensemble must be at least 2, got 1"),
    ],
)
def test_numbers_of_evolution_are_checked(
    optix: RunCommand, tokens: tuple[str, ...], words: str
) -> None:
    done = optix(*TRAIN, *tokens)
    assert done.code == 1
    assert words in done.err


def test_variants_get_seeds_of_their_own() -> None:
    first = list(itertools.islice(variant_seeds(SeedPlan(5)), 100))
    assert first == list(itertools.islice(variant_seeds(SeedPlan(5)), 100))
    assert len(set(first)) == 100
    assert set(first).isdisjoint(SeedPlan(5).integers("evolution", 100))
    assert first[0] != next(variant_seeds(SeedPlan(6)))
    assert all(0 <= seed < np.iinfo(np.int64).max for seed in first)
