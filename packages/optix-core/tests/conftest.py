"""Fixtures for every test of the core."""

import pytest

from optix_core.testing import FakeAgent


@pytest.fixture
def fake_agent() -> FakeAgent:
    return FakeAgent()


@pytest.fixture
def without_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of what is not about power cuts: syncing a slow disk is most of their time."""

    def leave(handle: int) -> None:
        """Leave it to the cache."""

    monkeypatch.setattr("os.fsync", leave)
