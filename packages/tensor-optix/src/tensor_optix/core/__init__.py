"""Contracts, loop, scheduler and registry, under their documented module paths."""
