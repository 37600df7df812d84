"""Rollout of the Quick Start model on one CartPole, as a share of the bare random-action loop.

Run: `uv run --group bench python -m benchmarks.rollout`
"""

import argparse

from benchmarks.harness import (
    Goal,
    Ratio,
    Variant,
    interleave,
    one_thread,
    optix_worker,
    tensor_optix_worker,
    write_ratios,
)
from benchmarks.harness.bare_loop import random_loop_cpu_s

N_STEPS = 2000
PEER_STEPS = 20


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    rounds = parser.parse_args().rounds
    one_thread()
    with optix_worker() as optix, tensor_optix_worker() as peer:
        samples = interleave(
            [
                Variant("bare", lambda: random_loop_cpu_s(N_STEPS)),
                Variant("optix", lambda: optix.call("rollout", n_steps=N_STEPS)),
                Variant("0.6.1", lambda: peer.call("rollout", n_steps=PEER_STEPS)),
            ],
            rounds=rounds,
            warm_up_rounds=3,
        )
    ratios = [
        Ratio(
            "bare random loop / Optix BatchPipeline with TFAgent",
            samples["bare"],
            samples["optix"],
            Goal(0.4),
        ),
        Ratio(
            "bare random loop / 0.6.1 BatchPipeline with its agent",
            samples["bare"],
            samples["0.6.1"],
        ),
        Ratio("0.6.1 rollout / Optix rollout", samples["0.6.1"], samples["optix"]),
    ]
    write_ratios(ratios, unit="CPU μs per step", scale=1e6)


if __name__ == "__main__":
    main()
