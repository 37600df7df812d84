"""Run the study, or go on with it: `python -m benchmarks.study.run --headline`.

Every run that ended has a file of its own below `runs/` and is not run again.
"""

import argparse
import logging
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace

from benchmarks.harness.one_thread import one_thread
from benchmarks.study.conditions import CONDITIONS
from benchmarks.study.plans import PLANS, REPORTED_SEED
from benchmarks.study.records import RunKey


def run_one(key: RunKey) -> tuple[RunKey, float]:
    """Run one and keep its record; returns the CPU seconds of it, a peer's not counted."""
    logging.getLogger("optix_core").setLevel(logging.ERROR)
    began = time.process_time()
    record = CONDITIONS[key.condition](key)
    cpu_s = time.process_time() - began
    replace(record, cpu_s=cpu_s).save()
    return key, cpu_s


def open_keys(parts: Iterable[str], first_seed: int) -> list[RunKey]:
    """Return the runs of these parts that have no record yet, each once."""
    wanted = {key: None for part in parts for plan in PLANS[part] for key in plan.keys(first_seed)}
    return [key for key in wanted if not key.path.exists()]


def main() -> None:
    """Run what is open, two at a time."""
    parser = argparse.ArgumentParser(description=__doc__)
    for part in PLANS:
        parser.add_argument(f"--{part}", action="store_true", help=f"the {part} part")
    parser.add_argument("--only", nargs="+", metavar="CONDITION", choices=list(CONDITIONS))
    parser.add_argument("--first-seed", type=int, default=REPORTED_SEED)
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    one_thread()
    parts = [part for part in PLANS if getattr(arguments, part)] or ["quick"]
    keys = open_keys(parts, arguments.first_seed)
    if arguments.only:
        keys = [key for key in keys if key.condition in arguments.only]
    began = time.monotonic()
    print(f"{len(keys)} runs to go")
    with ProcessPoolExecutor(arguments.processes) as pool:
        for n_done, done in enumerate(as_completed(pool.submit(run_one, key) for key in keys), 1):
            key, cpu_s = done.result()
            minutes = (time.monotonic() - began) / 60
            name = f"{key.condition} {key.task} {key.start} {key.seed}"
            print(f"{n_done}/{len(keys)} {minutes:6.1f} min {name}: {cpu_s:.1f} CPU s", flush=True)


if __name__ == "__main__":
    main()
