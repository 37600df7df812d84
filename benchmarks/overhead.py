"""Time inside `BatchPipeline` and the loop, as a share of a run with a trivial agent on CartPole.

The share is 1 − bare / run: bare is the same agent and environment with nothing around them.

Run: `uv run --group bench python -m benchmarks.overhead`
"""

import argparse

import numpy as np

from benchmarks.harness import (
    Goal,
    Variant,
    Worker,
    interleave,
    one_thread,
    optix_worker,
    tensor_optix_worker,
    write_table,
)

WINDOW_SIZE = 200
N_STEPS = 20_000
GOAL = Goal(0.15, at_most=True)


def _variants(side: str, worker: Worker) -> list[Variant]:
    def measured(function: str, **arguments: int) -> Variant:
        return Variant(
            f"{side} {function}", lambda: worker.call(function, n_steps=N_STEPS, **arguments)
        )

    return [
        measured("bare"),
        measured("pipeline", window_size=WINDOW_SIZE),
        measured("whole_run", window_size=WINDOW_SIZE),
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    one_thread()
    with optix_worker() as optix, tensor_optix_worker() as peer:
        samples = interleave([*_variants("Optix", optix), *_variants("0.6.1", peer)], rounds=rounds)
    medians = {name: float(np.median(values)) for name, values in samples.items()}
    rows: list[list[str]] = []
    for side, goal in (("Optix", GOAL), ("0.6.1", None)):
        bare = medians[f"{side} bare"]
        for what, title in (
            ("pipeline", "BatchPipeline alone"),
            ("whole_run", "BatchPipeline and loop"),
        ):
            share = 1.0 - bare / medians[f"{side} {what}"]
            verdict = goal.verdict(share) if goal else "–"
            rows.append(
                [
                    f"{side}: {title}",
                    f"{1e6 * medians[f'{side} {what}']:.2f}",
                    f"{1e6 * bare:.2f}",
                    f"{share:.3f}",
                    verdict,
                ]
            )
    write_table(["what", "CPU μs per step", "bare, CPU μs per step", "share", "goal"], rows)


if __name__ == "__main__":
    main()
