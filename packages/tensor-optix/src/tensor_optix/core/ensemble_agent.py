"""Many policies as one agent."""

from optix_evolve import EnsembleAgent

__all__ = ["EnsembleAgent"]
