"""Call functions of a process in another environment and wait for their answers."""

import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.peers.install import interpreter

ROOT = Path(__file__).resolve().parents[2]


class WorkerError(RuntimeError):
    """A worker is not installed, ended, or its function raised."""


class Worker:
    """A process that answers one call at a time, and idles while the other side is measured."""

    def __init__(self, python: Path, module: str) -> None:
        """Start `python -m module` at the root of the repository.

        Raises:
            WorkerError: if there is no such interpreter.
        """
        if not python.exists():
            raise WorkerError(
                f"no interpreter {python}; run `python benchmarks/peers/install.py` first"
            )
        self._module = module
        self._process = subprocess.Popen(
            [str(python), "-m", module],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def call(self, name: str, **arguments: Any) -> Any:
        """Call one of the worker's functions and return its result.

        Raises:
            WorkerError: if the function raised, with its traceback, or if the process ended.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"call": name, "arguments": arguments}) + "\n")
        line = self._process.stdout.readline()
        if not line:
            raise WorkerError(
                f"{self._module} ended with exit code {self._process.wait()} during {name}()"
            )
        answer = json.loads(line)
        if "error" in answer:
            raise WorkerError(f"{self._module}.{name}() raised:\n{answer['error']}")
        return answer["result"]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def optix_worker() -> Worker:
    """Optix's own side, in the project's environment."""
    return Worker(Path(sys.executable), "benchmarks.optix_worker")


def optix_run_worker() -> Worker:
    """The run of `optix train`, in the project's environment."""
    return Worker(Path(sys.executable), "benchmarks.optix_run_worker")


def sb3_worker() -> Worker:
    """Stable-Baselines3 in its own environment."""
    return Worker(interpreter("sb3"), "benchmarks.peers.sb3_worker")


def tensor_optix_worker() -> Worker:
    """tensor-optix 0.6.1 in its own environment."""
    return Worker(interpreter("tensor-optix"), "benchmarks.peers.tensor_optix_worker")
