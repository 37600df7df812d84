"""Does evolution help? An ensemble against its members, and rounds against one run.

Rounds and one run spend the same environment steps, training and validation together. Each run is
a line of a journal; what is there already is not run again.

Run: `uv run --group bench python -m benchmarks.evolution_study run --seeds 1000-1019`, then
`... tables`
"""

import argparse
import json
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks.evolution_run import Condition, Task, run_one
from benchmarks.evolution_tables import write_tables

JOURNAL = Path(__file__).parent / "evolution-journal.jsonl"

TASKS = (
    Task(name="CartPole", env_id="CartPole-v1", budget=250_000, low=20, high=500, level=150),
    Task(name="Acrobot", env_id="Acrobot-v1", budget=200_000, low=-500, high=-80, level=-200),
    Task(name="Pendulum", env_id="Pendulum-v1", budget=300_000, low=-1250, high=-160, level=-600),
)
HALFWAY = Condition(name="halfway", parts=5, stops_at_level=True)
"""Agents trained apart from each other, each stopped at a middling level: still with faults."""
ONE_RUN = Condition(name="one run")
ROUNDS = Condition(name="rounds", spawns=True)
CONDITIONS = (HALFWAY, ROUNDS, ONE_RUN)


def main() -> None:
    """Run what is missing, or print what there is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("run", "tables"))
    parser.add_argument("--seeds", default="1000-1019")
    parser.add_argument("--journal", type=Path, default=JOURNAL)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--only", nargs="+", choices=[each.name for each in CONDITIONS])
    arguments = parser.parse_args()
    first, last = (int(seed) for seed in arguments.seeds.split("-"))
    seeds = range(first, last + 1)
    conditions = [each for each in CONDITIONS if each.name in (arguments.only or [each.name])]
    if arguments.what == "run":
        plan = [
            (task, condition, seed) for condition in conditions for seed in seeds for task in TASKS
        ]
        run_missing(arguments.journal, plan, arguments.processes)
    else:
        write_tables(read_journal(arguments.journal), TASKS, conditions, seeds)


def run_missing(
    journal: Path, plan: Sequence[tuple[Task, Condition, int]], n_processes: int
) -> None:
    """Run what the journal lacks of a plan, in its order."""
    done = {(row["task"], row["condition"], row["seed"]) for row in read_journal(journal)}
    wanted = [
        (task, condition, seed)
        for task, condition, seed in plan
        if (task.name, condition.name, seed) not in done
    ]
    # Small products gain nothing from a second thread; the processes read this when they start.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    with (
        ProcessPoolExecutor(n_processes, mp_context=get_context("spawn")) as pool,
        journal.open("a", encoding="utf-8") as lines,
    ):
        runs = [pool.submit(run_one, *each) for each in wanted]
        for count, run in enumerate(as_completed(runs), start=1):
            row = run.result()
            lines.write(json.dumps(row) + "\n")
            lines.flush()
            print(f"{count}/{len(runs)} {row['task']} {row['condition']} {row['seed']}", flush=True)


def read_journal(journal: Path) -> list[dict[str, Any]]:
    """Read the runs of a journal; none where there is no file."""
    if not journal.exists():
        return []
    return [json.loads(line) for line in journal.read_text(encoding="utf-8").splitlines()]


if __name__ == "__main__":
    main()
