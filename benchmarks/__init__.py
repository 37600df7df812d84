"""Benchmarks that measure Optix and its peers side by side and print ratios; see README.md."""
