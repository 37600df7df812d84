"""Gymnasium pipelines for Optix: windows, vectorised collection, held-out episodes."""

from importlib.metadata import version

from optix_pipelines.batch_pipeline import BatchPipeline
from optix_pipelines.episode_pipeline import EpisodePipeline
from optix_pipelines.make_vector import make_vector

__version__ = version("optix-pipelines")

__all__ = ["BatchPipeline", "EpisodePipeline", "make_vector"]
