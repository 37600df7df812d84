"""Compiled loops over many series and many members; importing a module here loads numba."""
