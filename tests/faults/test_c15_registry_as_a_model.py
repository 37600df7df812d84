"""C15: whatever is done to a registry in whatever order, it equals a model of a dict's size."""

import pytest

from .script import run_script


def test_the_registry_equals_its_model() -> None:
    run_script("registry_machine", 20, 20)


@pytest.mark.slow
def test_the_registry_equals_its_model_in_more_ways() -> None:
    run_script("registry_machine", 100, 30, timeout_s=600)


@pytest.mark.nightly
def test_the_registry_equals_its_model_at_length() -> None:
    run_script("registry_machine", 500, 50, timeout_s=3600)
