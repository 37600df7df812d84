"""Imports a module that was typed on the command line; nothing else is ever imported by name."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

from optix_core.errors import ConfigurationError


def import_from_here(name: str, *, wanted_for: str) -> ModuleType:
    """Import a module, looked for in the current directory first, as `python -m` does.

    The directory stays on the path: a module may import its neighbours later.

    Raises:
        ConfigurationError: if there is no such module, or it cannot be imported.
    """
    directory = str(Path.cwd())
    if directory not in sys.path and "" not in sys.path:
        sys.path.insert(0, directory)
    try:
        return importlib.import_module(name)
    except (ImportError, ValueError, TypeError) as error:
        raise ConfigurationError(
            f"{wanted_for}: module {name!r} cannot be imported: {error}. It is looked for in the "
            "current directory and among what is installed"
        ) from error
