"""Pipelines for Optix: Gymnasium windows, held-out episodes, live sources."""

from importlib.metadata import version

from optix_pipelines.batch_pipeline import BatchPipeline
from optix_pipelines.episode_pipeline import EpisodePipeline
from optix_pipelines.live.boundaries import WindowProgress
from optix_pipelines.live.live_buffer import WhenFull
from optix_pipelines.live.reconnect_policy import ReconnectPolicy
from optix_pipelines.live_pipeline import LivePipeline
from optix_pipelines.make_vector import make_vector

__version__ = version("optix-pipelines")

__all__ = [
    "BatchPipeline",
    "EpisodePipeline",
    "LivePipeline",
    "ReconnectPolicy",
    "WhenFull",
    "WindowProgress",
    "make_vector",
]
