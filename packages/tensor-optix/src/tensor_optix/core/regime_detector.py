"""The regime that scores are in."""

from optix_evolve import RegimeDetector

__all__ = ["RegimeDetector"]
