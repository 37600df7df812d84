"""The contract of an evaluator: score, combine, compare."""

from optix_core import BaseEvaluator

__all__ = ["BaseEvaluator"]
