"""Runs a module of this folder in a process of its own, which may be killed, limited or audited."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run_script(module: str, *arguments: object, timeout_s: float = 120, exit_code: int = 0) -> str:
    """Run `python -m tests.faults.<module>`; returns what it wrote to stdout.

    Raises:
        AssertionError: if it ended otherwise than with this code, with what it wrote to stderr.
    """
    done = subprocess.run(
        [sys.executable, "-m", f"tests.faults.{module}", *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert done.returncode == exit_code, done.stderr
    assert "Error" not in done.stderr, done.stderr
    return done.stdout
