"""Self-evolving reinforcement-learning loop: every Optix package under one import."""

from importlib.metadata import version

__all__ = ["__version__"]

__version__ = version("tensor-optix")
