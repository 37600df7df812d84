"""The six-method contract of an agent."""

from optix_core import BaseAgent

__all__ = ["BaseAgent"]
