"""Durable save and load of the Quick Start agent, against the `.keras` of tensor-optix 0.6.1.

Optix writes weights and optimizer slots, with checksums and fsync; 0.6.1 writes the weights alone
and leaves them to the cache.

Run: `uv run --group bench python -m benchmarks.checkpoints`
"""

import argparse

from benchmarks.harness import (
    Goal,
    Ratio,
    Variant,
    Worker,
    interleave,
    one_thread,
    optix_worker,
    tensor_optix_worker,
    write_ratios,
)

FUNCTIONS = {
    "save_snapshot": ("registry save", Goal(3)),
    "load_snapshot": ("registry load of the best", Goal(8)),
    "save_weights": ("agent's save_weights", None),
    "load_weights": ("agent's load_weights", None),
}


def main() -> None:
    """Measure and print, wall and CPU time: an fsync costs the one and not the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    one_thread()
    with optix_worker() as optix, tensor_optix_worker() as peer:
        for clock in ("wall_s", "cpu_s"):
            _compare(optix, peer, clock, rounds)


def _compare(optix: Worker, peer: Worker, clock: str, rounds: int) -> None:
    def measured(side: str, worker: Worker, function: str) -> Variant:
        return Variant(f"{side} {function}", lambda: worker.call(function)[clock])

    # The first round saves before it loads; from then on there is something to load in any order.
    sides = {"Optix": optix, "0.6.1": peer}
    variants = [measured(side, sides[side], name) for name in FUNCTIONS for side in sides]
    samples = interleave(variants, rounds=rounds, warm_up_rounds=2)
    ratios = [
        Ratio(f"0.6.1 / Optix: {title}", samples[f"0.6.1 {name}"], samples[f"Optix {name}"], goal)
        for name, (title, goal) in FUNCTIONS.items()
    ]
    write_ratios(ratios, unit=f"{clock.removesuffix('_s')} ms", scale=1e3)


if __name__ == "__main__":
    main()
