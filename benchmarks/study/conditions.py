"""The conditions of the study by name."""

from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.harness.worker import Worker
from benchmarks.peers.install import interpreter
from benchmarks.study.ours import FIXED, NO_STOP, Ours, run_ours
from benchmarks.study.records import RunKey, RunRecord
from benchmarks.study.searches import run_optuna, run_random_search
from benchmarks.study.starts import BOUNDS
from optix_core import BackoffOptimizer, PBTOptimizer, PopulationOptimizer

Run = Callable[[RunKey], RunRecord]

WORKER = "benchmarks.study.peer_worker"

OURS: Mapping[str, Ours] = {
    "fixed": Ours(lambda: FIXED),
    "default": Ours(),
    "default-thrice": Ours(budget_factor=3),
    "default-unstopped": Ours(lambda: NO_STOP, budget_factor=3),
    "documented-backoff": Ours(lambda: {**FIXED, "optimizer": BackoffOptimizer(dict(BOUNDS))}),
    "documented-pbt": Ours(lambda: {**FIXED, "optimizer": PBTOptimizer(dict(BOUNDS))}),
    "evidence-backoff": Ours(
        lambda: {**NO_STOP, "optimizer": BackoffOptimizer(dict(BOUNDS), mode="evidence")}
    ),
    "population": Ours(lambda: {**NO_STOP, "optimizer": PopulationOptimizer()}, knows_budget=True),
    "evolution": Ours(evolves=True),
    "no-controller": Ours(
        lambda: {**NO_STOP, "autotune": False, "optimizer": PopulationOptimizer()},
        knows_budget=True,
    ),
    "no-confirmation": Ours(lambda: {"confirm": False}),
    "selection-only": Ours(lambda: {**NO_STOP, "autotune": False}),
}
"""What runs in Optix's own loop. `fixed` selects by the window's score alone; `selection-only` adds
confirmation to it; `no-controller` is the population without the step size controller."""


def peer(environment: str, tuner: str, *, has_bounds: bool) -> Run:
    """A condition that runs a peer's loop in the peer's environment."""

    def run(key: RunKey) -> RunRecord:
        worker = _worker(environment)
        fields: dict[str, Any] = worker.call(
            "run",
            task=key.task,
            start=key.start,
            seed=key.seed,
            tuner=tuner,
            has_bounds=has_bounds,
        )
        return RunRecord(key=key, **fields)

    return run


def _ours(condition: Ours) -> Run:
    return lambda key: run_ours(key, condition)


CONDITIONS: Mapping[str, Run] = {
    **{name: _ours(condition) for name, condition in OURS.items()},
    "random-search": run_random_search,
    "optuna": run_optuna,
    "0.6.1-backoff": peer("tensor-optix", "backoff", has_bounds=True),
    "0.6.1-backoff-unbounded": peer("tensor-optix", "backoff", has_bounds=False),
    "0.6.1-pbt": peer("tensor-optix", "pbt", has_bounds=True),
    "1.17.9-backoff": peer("tensor-optix-latest", "backoff", has_bounds=True),
    "1.17.9-backoff-unbounded": peer("tensor-optix-latest", "backoff", has_bounds=False),
    "1.17.9-pbt": peer("tensor-optix-latest", "pbt", has_bounds=True),
}

_workers: dict[str, Worker] = {}
"""The peers' processes of this process: their imports take longer than a run."""


def _worker(environment: str) -> Worker:
    if environment not in _workers:
        _workers[environment] = Worker(interpreter(environment), WORKER)
    return _workers[environment]
