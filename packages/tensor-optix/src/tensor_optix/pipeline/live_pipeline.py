"""Windows from a live source."""

from optix_core import DataSource
from optix_pipelines import LivePipeline

__all__ = ["DataSource", "LivePipeline"]
