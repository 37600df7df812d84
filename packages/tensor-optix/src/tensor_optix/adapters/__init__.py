"""Bindings to learning frameworks."""
