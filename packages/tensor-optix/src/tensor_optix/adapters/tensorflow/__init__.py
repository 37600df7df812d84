"""Keras agents, under their documented module paths."""
