"""What every benchmark needs: one thread, interleaved samples, workers, tables of ratios."""

from benchmarks.harness.interleave import Variant, cpu_seconds_per_call, interleave
from benchmarks.harness.one_thread import one_thread
from benchmarks.harness.ratios import (
    Goal,
    Ratio,
    bootstrap_ratio_of_medians,
    write_ratios,
    write_table,
)
from benchmarks.harness.worker import (
    Worker,
    WorkerError,
    optix_run_worker,
    optix_worker,
    sb3_worker,
    tensor_optix_worker,
)

__all__ = [
    "Goal",
    "Ratio",
    "Variant",
    "Worker",
    "WorkerError",
    "bootstrap_ratio_of_medians",
    "cpu_seconds_per_call",
    "interleave",
    "one_thread",
    "optix_run_worker",
    "optix_worker",
    "sb3_worker",
    "tensor_optix_worker",
    "write_ratios",
    "write_table",
]
