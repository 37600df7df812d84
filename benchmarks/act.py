"""`act()` of the Quick Start model: `TFAgent` against the eager call of tensor-optix 0.6.1.

Run: `uv run --group bench python -m benchmarks.act`
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

OPTIX_CALLS = 2000
"""`act()` calls in one sample of Optix: as much CPU time as a few of the peer's."""
PEER_CALLS = 5


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    rounds = parser.parse_args().rounds
    one_thread()
    with optix_worker() as optix, tensor_optix_worker() as peer:
        samples = interleave(
            [
                Variant("optix", lambda: optix.call("act", calls=OPTIX_CALLS)),
                Variant(
                    "0.6.1 sampling", lambda: peer.call("act", kind="sampling", calls=PEER_CALLS)
                ),
                Variant("0.6.1 argmax", lambda: peer.call("act", kind="argmax", calls=PEER_CALLS)),
            ],
            rounds=rounds,
            warm_up_rounds=3,
        )
    ratios = [
        Ratio(
            "0.6.1's eager call, sampling / Optix, sampling",
            samples["0.6.1 sampling"],
            samples["optix"],
            Goal(300),
        ),
        Ratio(
            "0.6.1's act() as shipped, argmax / Optix, sampling",
            samples["0.6.1 argmax"],
            samples["optix"],
        ),
    ]
    write_ratios(ratios, unit="CPU μs per act()", scale=1e6)


if __name__ == "__main__":
    main()
