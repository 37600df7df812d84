"""Where windows come from, under the documented module paths."""
