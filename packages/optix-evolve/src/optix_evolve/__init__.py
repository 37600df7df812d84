"""Policy evolution for Optix: ensembles, spawning, pruning, adaptive noise."""

from importlib.metadata import version

__all__ = ["__version__"]

__version__ = version("optix-evolve")
