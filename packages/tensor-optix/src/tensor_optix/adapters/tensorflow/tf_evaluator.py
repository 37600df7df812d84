"""The evaluator with TensorFlow diagnostics."""

from optix_tf import TFEvaluator

__all__ = ["TFEvaluator"]
