"""The contract of a pipeline: an iterable of windows."""

from optix_core import BasePipeline

__all__ = ["BasePipeline"]
