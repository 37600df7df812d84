"""Fixtures for every test of the core."""

import pytest

from optix_core.testing import FakeAgent


@pytest.fixture
def fake_agent() -> FakeAgent:
    return FakeAgent()
