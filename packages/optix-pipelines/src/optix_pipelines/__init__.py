"""Gymnasium pipelines for Optix: windows, vectorised collection, held-out episodes."""

from importlib.metadata import version

__all__ = ["__version__"]

__version__ = version("optix-pipelines")
