"""Hyperparameter tuners, under their documented module paths."""
