"""Does evolution help? The run's ensemble against its best policy, and rounds against one run.

Both spend the same environment steps, training and validation together. Each run is a line of a
journal; what is there already is not run again.

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

SMALL = "too small for one run"
TASKS = (
    Task(name=f"CartPole, {SMALL}", env_id="CartPole-v1", budget=25_000, low=20, high=500),
    Task(name=f"Pendulum, {SMALL}", env_id="Pendulum-v1", budget=45_000, low=-1250, high=-160),
    Task(name="Acrobot", env_id="Acrobot-v1", budget=60_000, low=-500, high=-80),
    Task(name="Pendulum, ample", env_id="Pendulum-v1", budget=120_000, low=-1250, high=-160),
)
CONDITIONS = (
    Condition(name="one run"),
    Condition(name="rounds", spawns=True, plateau_threshold=3, dormant_threshold=6),
)
TRIED = (
    Condition(
        name="wide rounds",
        spawns=True,
        plateau_threshold=3,
        dormant_threshold=6,
        max_scale=0.5,
    ),
    Condition(name="three runs", parts=3),
)
"""What was tried to mend it, on seeds below 100 alone."""


def main() -> None:
    """Run what is missing, or print what there is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("run", "tables"))
    parser.add_argument("--seeds", default="1000-1019")
    parser.add_argument("--journal", type=Path, default=JOURNAL)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--tried", action="store_true", help="also what was tried to mend it")
    arguments = parser.parse_args()
    first, last = (int(seed) for seed in arguments.seeds.split("-"))
    seeds = range(first, last + 1)
    conditions = CONDITIONS + TRIED if arguments.tried else CONDITIONS
    if arguments.what == "run":
        plan = [
            (task, condition, seed)
            for tasks in (TASKS[:3], TASKS[3:])  # should time run out, whole tasks are missing
            for seed in seeds
            for task in tasks
            for condition in conditions
        ]
        run_missing(arguments.journal, plan, arguments.processes)
    else:
        rows = read_journal(arguments.journal)
        played = {row["task"] for row in rows}
        tasks = [task for task in TASKS if task.name in played]
        write_tables(rows, tasks, conditions, seeds)


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
