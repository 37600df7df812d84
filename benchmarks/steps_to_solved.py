"""Training steps until CartPole-v1 is solved: `optix train` against Stable-Baselines3's PPO.

Solved is a mean of at least 475 over 100 greedy episodes; both sides are checked every 2,048
training steps on episodes of the same seeds. Stable-Baselines3 has the hyperparameters of rl-zoo.

Run: `uv run --group bench python -m benchmarks.steps_to_solved [--first-seed 0] [--seeds 10]`
"""

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.harness import (
    Goal,
    bootstrap_ratio_of_medians,
    one_thread,
    optix_run_worker,
    sb3_worker,
    write_table,
)

CHECK_EVERY = 2048
GOAL = Goal(1.0, at_most=True)
HEADER = ["seed", "Optix, training steps", "Optix, validation steps beside", "SB3, training steps"]


def _solved_at(results: Sequence[dict[str, Any]]) -> list[float]:
    return [float(result["solved_at"] or np.inf) for result in results]


def _steps(result: dict[str, Any]) -> str:
    solved_at = result["solved_at"]
    return f"{solved_at:,}" if solved_at else f"not in {result['training_steps']:,}"


def main() -> None:
    """Measure seed after seed, one side after the other, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=10)
    arguments = parser.parse_args()
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
    one_thread()
    ours: list[dict[str, Any]] = []
    theirs: list[dict[str, Any]] = []
    for seed in seeds:
        # A process for each run: nothing is compiled or warmed by the run before.
        with optix_run_worker() as optix:
            asked: dict[str, Any] = {"check_every": CHECK_EVERY, "stop_when_solved": True}
            ours.append(optix.call("train", seed=seed, **asked))
        with sb3_worker() as sb3:
            theirs.append(sb3.call("train_rl_zoo", seed=seed, **asked))
    rows = [
        [seed, _steps(one), f"{one['validation_steps']:,}", _steps(other)]
        for seed, one, other in zip(seeds, ours, theirs, strict=True)
    ]
    write_table(HEADER, rows)
    above, below = _solved_at(ours), _solved_at(theirs)
    ratio = float(np.median(above) / np.median(below))
    low, high = bootstrap_ratio_of_medians(above, below)
    write_table(
        ["median Optix", "median SB3", "ratio", "95 % interval", "goal, of its lower end"],
        [
            [
                f"{np.median(above):,.0f}",
                f"{np.median(below):,.0f}",
                f"{ratio:.2f}",
                f"{low:.2f} to {high:.2f}",
                GOAL.verdict(low),
            ]
        ],
    )


if __name__ == "__main__":
    main()
