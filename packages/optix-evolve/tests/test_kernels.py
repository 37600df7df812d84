"""What holds of the kernels as code: loaded late, compiled once, the same when interpreted."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import optix_evolve
from optix_evolve import signals
from optix_evolve._kernels import series

PACKAGE = Path(optix_evolve.__file__).parent

# Prints what each kernel gives on fixed input, bit for bit.
PROBE = """
import json, math
import numpy as np
from optix_evolve import action_arithmetic as arithmetic, signals

rng = np.random.default_rng(11)
x, y, z = 1e6 + rng.normal(size=(3, 60, 9))
x[0], x[1], x[2, 3], x[3], x[4] = 1.7e308, 0.25, math.nan, 5e-324, rng.normal(size=9) * 1e300
results = {
    "slopes": signals.slopes(x, compiled=True),
    "parallel": signals.slopes(x, parallel=True),
    "pearsons": signals.pearsons(x, y, compiled=True),
    "noise": signals.noise_scales(x, y, z, compiled=True),
}
outputs, weights = rng.normal(size=(19, 50, 3)), rng.random(19)
for name in ("float32", "float64"):
    typed = outputs.astype(name)
    results[f"mean {name}"] = arithmetic.weighted_mean(typed, weights, compiled=True)
    results[f"parallel mean {name}"] = arithmetic.weighted_mean(typed, weights, parallel=True)
    results[f"softmax {name}"] = arithmetic.mean_softmax(typed, weights, compiled=True)
for name in ("int64", "uint8"):
    votes = rng.integers(9, size=(19, 50)).astype(name)
    results[f"vote {name}"] = arithmetic.weighted_vote(votes, weights, 9, compiled=True)
print(json.dumps({name: value.tobytes().hex() for name, value in results.items()}))
"""


def run_python(code: str, **environment: str) -> str:
    finished = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return finished.stdout


def test_compiled_and_interpreted_kernels_agree_to_the_last_bit() -> None:
    compiled = json.loads(run_python(PROBE, NUMBA_DISABLE_JIT="0"))
    interpreted = json.loads(run_python(PROBE, NUMBA_DISABLE_JIT="1"))
    assert [name for name in compiled if compiled[name] != interpreted[name]] == []


def test_the_control_loop_never_loads_numba() -> None:
    code = """
import sys
import optix_evolve
from optix_core import EvalMetrics
from optix_evolve import action_combination, population, signals
from optix_evolve.adaptive_noise import adaptive_noise
from optix_evolve.meta_controller import MetaController
from optix_evolve.regime_detector import RegimeDetector

history = [EvalMetrics(float(i), {"train_score": float(i), "val_score": i / 2}) for i in range(99)]
signals.slope([1.0, 2.0])
signals.pearson(list(range(5000)), list(range(5000)))
signals.slopes([[1.0, 2.0]] * 99)
adaptive_noise(history)
MetaController().decide(history, {})
RegimeDetector().detect(history)
members = population.Population()
for _ in range(16):
    members.add(object()).record(1.0)
members.rebalance()
action_combination.ActionCombiner().combine([[0.5, 1.0]] * 16, members.weights)
action_combination.ActionCombiner().combine([1] * 16, members.weights)
print(sorted({"numba", "tensorflow", "gymnasium", "scipy"} & set(sys.modules)))
"""
    assert run_python(code).strip() == "[]"


def test_one_file_imports_numba_and_only_the_doors_import_kernels() -> None:
    importers: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import | ast.ImportFrom):
                module = getattr(node, "module", None) or ""
                for name in (module, *(alias.name for alias in node.names)):
                    importers.setdefault(name.split(".")[0], set()).add(path.name)
                if module.startswith("optix_evolve._kernels"):
                    importers.setdefault(module, set()).add(path.name)
    assert importers["numba"] == {"_jit.py"}
    assert importers["optix_evolve._kernels"] <= {
        "signals.py",
        "action_arithmetic.py",
        "compiled_forward.py",
    }
    kernels = {path.name for path in (PACKAGE / "_kernels").glob("*.py")} - {"_jit.py"}
    assert importers["optix_evolve._kernels._jit"] <= kernels


def test_a_statistics_kernel_has_one_signature() -> None:
    rows = np.arange(12.0).reshape(3, 4)
    for layout in (rows, rows.astype(np.float32), np.asfortranarray(rows), rows[:, ::2], rows[:0]):
        signals.slopes(layout, compiled=True)
        signals.slopes(layout.astype(int), parallel=True)
        signals.pearsons(layout, layout, compiled=True)
        signals.noise_scales(layout, layout, layout, compiled=True)
    for kernel in (
        series.slopes,
        series.slopes_parallel,
        series.correlations,
        series.noise_scales,
    ):
        # Interpreted, with NUMBA_DISABLE_JIT=1, a kernel is a function without signatures.
        assert len(getattr(kernel, "signatures", [None])) == 1


def test_the_doors_choose_the_kernels_by_size_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def kernel(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        asked.append(rows.size)
        return np.zeros(len(rows))

    monkeypatch.setattr(series, "slopes", kernel)
    for n_series in (signals.COMPILED_FROM // 10 - 1, signals.COMPILED_FROM // 10):
        signals.slopes(np.zeros((n_series, 10)))
    assert asked == [signals.COMPILED_FROM]
