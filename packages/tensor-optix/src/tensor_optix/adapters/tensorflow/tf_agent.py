"""The Keras agent; importing this loads TensorFlow."""

from optix_tf import TFAgent

__all__ = ["TFAgent"]
