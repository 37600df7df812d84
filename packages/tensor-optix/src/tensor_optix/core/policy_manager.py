"""Who is in the ensemble, and how it evolves during a run."""

from optix_evolve import PolicyManager, PolicyManagerCallback

__all__ = ["PolicyManager", "PolicyManagerCallback"]
