"""The learned controller of the examples, through the interface of any controller."""

from pathlib import Path
from typing import Any

import pytest

from optix_core import EvalMetrics
from optix_evolve import DecisionRule, MetaAction

from .load_example import load_example

OPEN = {"budget_exhausted": False}


@pytest.fixture(scope="module")
def example() -> Any:
    return load_example("learned_meta_controller")


def decisions_where(controller: DecisionRule, paying: MetaAction, n: int = 60) -> list[MetaAction]:
    """Decide n times; the score rises after one action and stays after the other."""
    history = [EvalMetrics(0.0), EvalMetrics(1.0)]
    taken: list[MetaAction] = []
    for _ in range(n):
        taken.append(controller.decide(history, OPEN))
        best = max(metrics.primary_score for metrics in history)
        history.append(EvalMetrics(best + 5.0 if taken[-1] is paying else best))
    return taken


@pytest.mark.parametrize("paying", [MetaAction.SPAWN, MetaAction.NO_OP])
def test_it_comes_to_prefer_what_pays(example: Any, paying: MetaAction) -> None:
    taken = decisions_where(example.BanditController(seed=0), paying)
    assert taken[-30:].count(paying) >= 24


def test_one_seed_decides_alike(example: Any) -> None:
    runs = [decisions_where(example.BanditController(seed=s), MetaAction.SPAWN) for s in (3, 3)]
    assert runs[0] == runs[1]


def test_it_stops_when_the_budget_is_spent(example: Any) -> None:
    controller = example.BanditController()
    assert controller.decide([], {"budget_exhausted": True}) is MetaAction.STOP
    assert controller.decide([EvalMetrics(float("nan"))], OPEN) in controller.arms


def test_an_earlier_run_s_decision_is_not_charged_to_the_next(example: Any) -> None:
    controller = example.BanditController()
    controller.decide([EvalMetrics(100.0)] * 9, OPEN)
    controller.decide([EvalMetrics(0.0)] * 3, OPEN)
    assert not any([*controller.wins.values(), *controller.losses.values()])


def test_it_decides_in_a_run(example: Any, tmp_path: Path) -> None:
    controller = example.BanditController(seed=0)
    manager = example.train(tmp_path, controller)
    events = (tmp_path / "events.jsonl").read_text("utf-8").splitlines()
    taken = [line for line in events if "meta_decision" in line]
    assert len(taken) >= 2
    spawned = sum("spawn" in line for line in taken)
    assert manager.status()["spawn_count"] == spawned
    outcomes = sum(controller.wins.values()) + sum(controller.losses.values())
    assert outcomes == len(taken) - 1  # what the last one brought it was not asked again
