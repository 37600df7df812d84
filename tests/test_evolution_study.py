"""The study of evolution: a budget that both sides keep, a journal that is resumed, tables."""

from pathlib import Path

import pytest

from benchmarks import evolution_study
from benchmarks.evolution_run import Condition, Task, run_one
from benchmarks.evolution_tables import write_tables

TASK = Task(name="t", env_id="CartPole-v1", budget=12_000, low=0, high=500, level=40)
CONDITIONS = (
    Condition(name="one run"),
    Condition(name="halfway", parts=2, stops_at_level=True),
)
PLAN = [(TASK, condition, seed) for condition in CONDITIONS for seed in (1,)]
WINDOW_AND_EVALUATION = 8 * 128 + 10 * 500 + 2 * 30 * 500
"""What is spent at most after the last look at the budget, both sides of a promotion included."""


def test_both_sides_spend_their_budget_and_no_more(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    evolution_study.run_missing(journal, PLAN, n_processes=1)
    rows = evolution_study.read_journal(journal)
    assert [(row["condition"], row["seed"]) for row in rows] == [
        (condition.name, seed) for _, condition, seed in PLAN
    ]
    assert [len(row["members"]) for row in rows] == [1, 2]
    for row in rows:
        assert len(row["members"]) == len(row["weights"])
    spent = [row["steps"] + row["validation_steps"] for row in rows]
    assert TASK.budget <= spent[0] <= TASK.budget + WINDOW_AND_EVALUATION
    assert spent[1] < TASK.budget  # both agents reached the level before
    assert rows[0]["ensemble"] == rows[0]["best"] == rows[0]["members"][0]
    assert rows[1]["best"] in rows[1]["members"]
    assert rows[0]["selected"] == {}
    for choice in rows[1]["selected"].values():
        assert choice["best"] in {0, 1}
        acting = choice["members"]
        assert choice["score"] == rows[1]["members"][acting[0]] or len(acting) == 2


def test_a_journal_is_resumed_and_becomes_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = tmp_path / "journal.jsonl"
    lines = [run_one(*each) for each in PLAN]
    journal.write_text("".join(f"{evolution_study.json.dumps(line)}\n" for line in lines), "utf-8")
    evolution_study.run_missing(journal, PLAN, n_processes=1)
    assert len(evolution_study.read_journal(journal)) == len(PLAN)
    write_tables(evolution_study.read_journal(journal), [TASK], CONDITIONS, [1])
    told = capsys.readouterr().out
    titles = (
        "| one run: best |",
        "halfway: ensemble against halfway: mean member",
        "halfway: chosen against halfway: best member",
        "| halfway: episodes of each set |",
    )
    for title in titles:
        assert title in told
