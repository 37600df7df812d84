"""SAC training on Pendulum: steps with an update each per CPU second, against Stable-Baselines3.

Both sides have networks of 256 × 256, minibatches of 256, one update a step and one thread;
compilation is excluded.

Run: `uv run --group bench python -m benchmarks.sac_throughput`
"""

import argparse
from typing import Any

from benchmarks.harness import (
    Goal,
    Ratio,
    Variant,
    Worker,
    interleave,
    one_thread,
    optix_worker,
    sb3_worker,
    write_ratios,
)

HIDDEN = [256, 256]
TRAIN_FREQUENCIES = {1: "after each step, its default", 64: "64 after 64 steps, as Optix"}
STEPS_PER_SAMPLE = 128


def _seconds_per_step(worker: Worker, **arguments: Any) -> float:
    spent = worker.call("iterate_sac", n_steps=STEPS_PER_SAMPLE, **arguments)
    return spent["cpu_s"] / spent["steps"]


def _variants(optix: Worker, sb3: Worker) -> list[Variant]:
    optix.call("open_sac", hidden=HIDDEN, seed=0)
    for train_freq in TRAIN_FREQUENCIES:
        sb3.call("open_sac", hidden=HIDDEN, seed=0, train_freq=train_freq)
    peers = [
        Variant(f"sb3 {freq}", lambda freq=freq: _seconds_per_step(sb3, train_freq=freq))
        for freq in TRAIN_FREQUENCIES
    ]
    return [Variant("optix", lambda: _seconds_per_step(optix)), *peers]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    one_thread()
    with optix_worker() as optix, sb3_worker() as sb3:
        samples = interleave(_variants(optix, sb3), rounds=rounds, warm_up_rounds=1)
    ratios = [
        Ratio(
            f"SB3 / Optix, SB3's updates {when}", samples[f"sb3 {freq}"], samples["optix"], Goal(1)
        )
        for freq, when in TRAIN_FREQUENCIES.items()
    ]
    write_ratios(ratios, unit="CPU μs per environment step", scale=1e6)


if __name__ == "__main__":
    main()
