"""CPU time of a whole `optix train CartPole-v1`, against Stable-Baselines3's 100,000 rl-zoo steps.

From the first window to the stop: validation, snapshots, journal and compilation included.

Run: `uv run --group bench python -m benchmarks.run_cost [--first-seed 0] [--seeds 5]`
"""

import argparse
from typing import Any

from benchmarks.harness import (
    Goal,
    Ratio,
    one_thread,
    optix_run_worker,
    sb3_worker,
    write_ratios,
    write_table,
)


def main() -> None:
    """Measure seed after seed, one side after the other, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    one_thread()
    ours: list[dict[str, Any]] = []
    theirs: list[dict[str, Any]] = []
    for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
        with optix_run_worker() as optix:
            ours.append(optix.call("train", seed=seed))
        with sb3_worker() as sb3:
            theirs.append(sb3.call("train_rl_zoo", seed=seed))
    rows = [
        [
            one["seed"],
            f"{one['training_cpu_s']:.1f}",
            f"{one['wall_s']:.1f}",
            f"{one['training_steps']:,} + {one['validation_steps']:,}",
            one["stop_reason"],
            f"{one['best_score']:.1f}",
            f"{other['training_cpu_s']:.1f}",
        ]
        for one, other in zip(ours, theirs, strict=True)
    ]
    write_table(
        ["seed", "CPU s", "wall s", "steps + validation", "stopped", "best score", "SB3 CPU s"],
        rows,
    )
    cpu_ours, cpu_theirs = (
        [result["training_cpu_s"] for result in side] for side in (ours, theirs)
    )
    goal = Goal(1.5, at_most=True)
    ratio = Ratio("Optix run / SB3's 100,000 steps", cpu_ours, cpu_theirs, goal)
    write_ratios([ratio], unit="CPU s")


if __name__ == "__main__":
    main()
