"""What `optix train ENV` reaches on known ground: its defaults, nothing tuned per environment.

Each run is the command as a user types it, in a process and a run directory of its own. A run that
is there with its test is not run again; one that was cut short is run anew.

Run: `uv run --group bench python -m benchmarks.known_ground [--env Pendulum-v1] [--seeds 0-4]`
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.harness import Goal, write_table
from benchmarks.harness.one_thread import ONE_THREAD
from optix_cli.report_command import read_runs
from optix_cli.run_history import RunHistory
from optix_core import StopReason

RUNS = Path("runs") / "known-ground"
HEADER = (
    "environment",
    "agent",
    "steps at most",
    "median test score",
    "goal",
    "steps of the best",
    "steps run",
    "stopped by itself",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """An environment whose reference scores are known, and what is asked of us."""

    env_id: str
    """Gymnasium id."""
    max_steps: int
    """Training steps at most."""
    goal: float
    """Least median of the test scores, each the mean of 100 fresh greedy episodes."""
    n_seeds: int = 5
    """Seeds that are reported."""


GROUNDS = (
    Ground(env_id="CartPole-v1", max_steps=100_000, goal=500.0),
    Ground(env_id="Acrobot-v1", max_steps=100_000, goal=-85.0),
    Ground(env_id="Pendulum-v1", max_steps=20_000, goal=-165.0),
    Ground(env_id="MountainCarContinuous-v0", max_steps=50_000, goal=90.0),
    Ground(env_id="LunarLander-v3", max_steps=500_000, goal=200.0, n_seeds=3),
)


def main() -> None:
    """Run what is missing, then print the table of what there is."""
    parser = argparse.ArgumentParser(description=__doc__)
    names = [ground.env_id for ground in GROUNDS]
    parser.add_argument("--env", choices=names, nargs="+", default=names)
    parser.add_argument("--seeds", help="first-last; by default 1000 and on, as many as reported")
    parser.add_argument("--runs", type=Path, default=RUNS, help="where the runs are")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--table", action="store_true", help="run nothing")
    arguments = parser.parse_args()
    chosen = [
        (ground, seeds_of(ground, arguments.seeds))
        for ground in GROUNDS
        if ground.env_id in arguments.env
    ]
    if not arguments.table:
        run_missing(arguments.runs, chosen, arguments.processes)
    rows = [row for ground, seeds in chosen for row in row_of(arguments.runs, ground, seeds)]
    write_table(HEADER, rows)


def seeds_of(ground: Ground, text: str | None) -> range:
    """Seeds as typed, or those that are reported."""
    if text is None:
        return range(1000, 1000 + ground.n_seeds)
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def run_missing(runs: Path, chosen: Sequence[tuple[Ground, range]], n_processes: int) -> None:
    """Run each environment and seed of which there is no finished run."""
    wanted = [(ground, seed) for ground, seeds in chosen for seed in seeds]
    with ThreadPoolExecutor(n_processes) as pool:
        running = [pool.submit(run_one, runs, ground, seed) for ground, seed in wanted]
        for run in running:
            run.result()


def run_one(runs: Path, ground: Ground, seed: int) -> None:
    """Run the command, unless its run is there; what it prints goes beside the run.

    Raises:
        subprocess.CalledProcessError: if the command failed.
    """
    directory = run_directory(runs, ground, seed)
    if finished(directory) is not None:
        return
    shutil.rmtree(directory, ignore_errors=True)
    runs.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "optix_cli", "train", ground.env_id, "--seed", str(seed)]
    command += ["--max-steps", str(ground.max_steps), "--run-dir", str(directory)]
    with directory.with_suffix(".log").open("w", encoding="utf-8") as log:
        subprocess.run(
            command, env=os.environ | ONE_THREAD, stdout=log, stderr=subprocess.STDOUT, check=True
        )
    sys.stdout.write(f"{directory.name}\n")
    sys.stdout.flush()


def run_directory(runs: Path, ground: Ground, seed: int) -> Path:
    """Where a run is."""
    return runs / f"{ground.env_id}-seed{seed}"


def finished(directory: Path) -> RunHistory | None:
    """The run of a directory, if it was tested; the test is the last thing a run does."""
    found = [run for run in read_runs(directory) if run.tested is not None]
    return found[-1] if found else None


def row_of(runs: Path, ground: Ground, seeds: Sequence[int]) -> list[list[object]]:
    """The table's row of an environment; none without finished runs."""
    found = [finished(run_directory(runs, ground, seed)) for seed in seeds]
    histories = [history for history in found if history is not None]
    if not histories:
        return []
    scores = [float(history.tested["mean"]) for history in histories if history.tested]
    stops = [history.stopped for history in histories if history.stopped]
    by_itself = sum(stop["stop_reason"] != StopReason.MAX_WINDOWS for stop in stops)
    bests = [_best_steps(history) for history in histories]
    median = float(np.median(scores))
    agents = {str(history.asked["train"]["agent"]) for history in histories}
    return [
        [
            ground.env_id,
            ", ".join(sorted(agents)),
            f"{ground.max_steps:,}",
            f"{median:.1f} ({', '.join(f'{score:.1f}' for score in scores)})",
            Goal(ground.goal).verdict(median),
            f"{np.median(bests):,.0f}",
            f"{np.median([stop['steps'] for stop in stops]):,.0f}",
            f"{by_itself} of {len(histories)}",
        ]
    ]


def _best_steps(history: RunHistory) -> int:
    """Steps after which the best policy was found."""
    best = history.best_window
    return 0 if best is None else int(best.get("steps", 0))


if __name__ == "__main__":
    main()
