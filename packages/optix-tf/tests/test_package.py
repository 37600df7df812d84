"""The package's face."""

import subprocess
import sys

import optix_tf


def test_the_face_lists_what_it_has() -> None:
    assert sorted(optix_tf.__all__) == optix_tf.__all__
    for name in optix_tf.__all__:
        assert getattr(optix_tf, name).__name__ == name


def test_importing_the_package_loads_no_tensorflow() -> None:
    code = "import optix_tf, sys; print('tensorflow' in sys.modules, 'keras' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
    assert done.stderr == ""
