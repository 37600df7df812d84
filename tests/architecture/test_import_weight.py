"""Importing a package loads what it needs and no more, each seen in an interpreter of its own."""

import subprocess
import sys

import pytest

LEARNING = {"keras", "tensorflow", "torch", "jax"}

NEVER_LOADED = {
    "optix_core": LEARNING | {"gymnasium", "numba", "optuna", "ray", "scipy", "rich", "cyclopts"},
    "optix_core.testing": LEARNING | {"gymnasium", "numba", "ray", "scipy"},
    "optix_pipelines": LEARNING | {"numba", "ray", "scipy"},
    "optix_evolve": LEARNING | {"gymnasium", "ray"},
    "optix_tf": LEARNING | {"gymnasium", "numba", "ray"},
    "optix_cli": LEARNING | {"ray"},
    "tensor_optix": LEARNING | {"ray"},
}


@pytest.mark.parametrize(("module_name", "heavy"), NEVER_LOADED.items(), ids=NEVER_LOADED)
def test_import_leaves_the_heavy_alone(module_name: str, heavy: set[str]) -> None:
    script = f"import sys, {module_name}\nprint(*(name for name in sys.modules if '.' not in name))"
    shown = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    assert heavy & set(shown.stdout.split()) == set()
