"""Evaluators that ship with the core."""

from optix_core.evaluators.return_evaluator import ReturnEvaluator

__all__ = ["ReturnEvaluator"]
