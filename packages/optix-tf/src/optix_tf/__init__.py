"""Keras agents and evaluators for Optix."""

from importlib.metadata import version

__all__ = ["__version__"]

__version__ = version("optix-tf")
