"""The optix command: train, evaluate and report."""

from importlib.metadata import version

__all__ = ["__version__"]

__version__ = version("optix-cli")
