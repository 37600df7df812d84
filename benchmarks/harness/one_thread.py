"""Put this process and its workers on one thread and on the BLAS kernel made for the processor."""

import os
import platform
import sys
from pathlib import Path
from typing import Any, cast

import numpy as np
import threadpoolctl

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "",
}


def one_thread() -> None:
    """Start again without OPENBLAS_* overrides and with one thread, pin the pools, print them.

    Libraries read these variables when they are loaded, so setting them here would be too late:
    the process replaces itself once, with the command it was started with.
    """
    wanted = _clean_environment(dict(os.environ))
    if wanted != dict(os.environ):
        sys.stdout.flush()
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], wanted)
    sys.stdout.write(f"{_machine()}\n{pinned_pools()}\n\n")
    sys.stdout.flush()


def _clean_environment(environment: dict[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in environment.items() if not name.startswith("OPENBLAS_")}
    return kept | ONE_THREAD


def pinned_pools() -> str:
    """Limit every thread pool of this process to one thread; name the BLAS and its kernel."""
    np.dot(np.ones((2, 2)), np.ones((2, 2)))
    threadpoolctl.threadpool_limits(limits=1)
    # Its own annotation says `list` and no more.
    pools = cast("list[dict[str, Any]]", threadpoolctl.threadpool_info())
    return "BLAS: " + ("; ".join(_pool(pool) for pool in pools) or "no pool found")


def _pool(pool: dict[str, Any]) -> str:
    kernel = pool.get("architecture", "-")
    return (
        f"{pool['internal_api']} {pool['version']}, kernel {kernel}, {pool['num_threads']} thread"
    )


def _machine() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    model = next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")),
        platform.processor(),
    )
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    return f"{model}, {os.cpu_count()} cores, load {load}; Python {platform.python_version()}"
