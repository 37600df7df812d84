"""CPU time of `import optix_core` against `import numpy`, less that of an empty interpreter.

Run: `uv run --group bench python -m benchmarks.import_time`
"""

import argparse
import resource
import subprocess
import sys

import numpy as np

from benchmarks.harness import Goal, Variant, interleave, one_thread, write_table

GOAL = Goal(1.75, at_most=True)
STATEMENTS = {"nothing": "pass", "numpy": "import numpy", "optix_core": "import optix_core"}


def _child_cpu_s(statement: str) -> float:
    began = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", statement], check=True)
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (ended.ru_utime - began.ru_utime) + (ended.ru_stime - began.ru_stime)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=31)
    rounds = parser.parse_args().rounds
    one_thread()
    variants = [
        Variant(name, lambda statement=statement: _child_cpu_s(statement))
        for name, statement in STATEMENTS.items()
    ]
    samples = interleave(variants, rounds=rounds, warm_up_rounds=2)
    nothing, numpy, core = (float(np.median(samples[name])) for name in STATEMENTS)
    net = (core - nothing) / (numpy - nothing)
    rows = [
        [
            "import alone",
            f"{1e3 * (core - nothing):.0f}",
            f"{1e3 * (numpy - nothing):.0f}",
            f"{net:.2f}",
            GOAL.verdict(net),
        ],
        ["whole process", f"{1e3 * core:.0f}", f"{1e3 * numpy:.0f}", f"{core / numpy:.2f}", "–"],
    ]
    write_table(["what", "optix_core, CPU ms", "numpy, CPU ms", "ratio", "goal"], rows)


if __name__ == "__main__":
    main()
