"""What to do at DORMANT: spawn, prune, stop, or go on."""

from optix_evolve import MetaAction, MetaController

__all__ = ["MetaAction", "MetaController"]
