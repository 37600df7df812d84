"""Run as a module with a target and seconds: libFuzzer looks for bytes that break a reader.

`uv run --group fuzz python -m tests.faults.fuzz_atheris manifest 300`. Ends with 0 where it found
nothing; otherwise it writes the input to `crash-…` and says why. What it finds becomes a seed of
the target, beside the fix.
"""

import importlib
import sys
import tempfile
from pathlib import Path
from typing import Any

MAX_INPUT_BYTES = 8192
MAX_MEMORY_MB = 1024
MAX_INPUT_S = 20


def main(target: str, seconds: int) -> None:
    """Fuzz one target; never returns, since libFuzzer ends the process."""
    # Not typed, and here in the group `fuzz` alone.
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["optix_core", "tomllib"]):
        targets = importlib.import_module("tests.faults.fuzz_targets")
    with tempfile.TemporaryDirectory(prefix="optix-corpus-") as corpus:
        for number, seed in enumerate(targets.seeds(target)):
            (Path(corpus) / f"seed-{number}").write_bytes(seed)
        options = [
            f"-max_total_time={seconds}",
            f"-max_len={MAX_INPUT_BYTES}",
            f"-rss_limit_mb={MAX_MEMORY_MB}",
            f"-timeout={MAX_INPUT_S}",
            "-print_final_stats=1",
        ]
        with targets.quick():
            atheris.Setup([sys.argv[0], *options, corpus], targets.TARGETS[target])
            atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
