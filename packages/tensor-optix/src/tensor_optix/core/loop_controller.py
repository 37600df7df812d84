"""The loop and the hooks that it calls."""

from optix_core import LoopCallback
from optix_core.loop_controller import LoopController

__all__ = ["LoopCallback", "LoopController"]
