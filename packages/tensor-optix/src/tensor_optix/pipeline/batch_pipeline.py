"""Continuous stepping in windows of fixed size."""

from optix_pipelines import BatchPipeline

__all__ = ["BatchPipeline"]
