"""Import optix_core where nothing else is installed; run with `python -I` outside the workspace."""

import importlib.util
import sys
from pathlib import Path

import optix_core

ABSENT = ("gymnasium", "keras", "numba", "optix_pipelines", "ray", "scipy", "tensorflow", "torch")

installed = [name for name in ABSENT if importlib.util.find_spec(name) is not None]
loaded = sorted({name.partition(".")[0] for name in sys.modules} & set(ABSENT))
if installed or loaded:
    sys.exit(f"optix-core drags in {installed}, and its import loads {loaded}")
if "site-packages" not in Path(optix_core.__file__).parts:
    sys.exit(f"optix_core came from {optix_core.__file__}, not from the installed wheel")
missing = [name for name in optix_core.__all__ if not hasattr(optix_core, name)]
if missing:
    sys.exit(f"optix_core.__all__ names what is not there: {missing}")
sys.stdout.write(f"optix_core {optix_core.__version__} imports alone\n")
