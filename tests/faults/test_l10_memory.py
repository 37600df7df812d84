"""L10: memory does not grow with the number of windows, nor with that of steps."""

import gc
import resource
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from optix_core import EvalMetrics, LoopCallback, metrics_history, plateau_test

from .loop_scene import Misbehaving, Watched, optimizer_of

MEGABYTE = 2**20


class Forgetful(Watched):
    """Keeps no list of what it learned from."""

    def learn(self, episode_data: Any) -> dict[str, Any]:
        diagnostics = super().learn(episode_data)
        self.learned.clear()
        return diagnostics


class Meter(LoopCallback):
    """Reads a meter at given windows, after everything that can be freed was."""

    def __init__(self, windows: tuple[int, int], read: Callable[[], int]) -> None:
        self.windows = windows
        self.read = read
        self.readings: list[int] = []

    def on_episode_end(self, window_id: int, metrics: EvalMetrics | None) -> None:
        if window_id in self.windows:
            gc.collect()
            self.readings.append(self.read())


def traced() -> int:
    return tracemalloc.get_traced_memory()[0]


def peak_resident() -> int:
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def growth(
    directory: Path, windows: tuple[int, int], read: Callable[[], int], window_size: int
) -> int:
    """How much a meter rose between two windows of a run that goes on beyond the second."""
    meter = Meter(windows, read)
    optimizer = optimizer_of(
        directory,
        Misbehaving(),
        agent=Forgetful(),
        callbacks=[meter],
        window_size=window_size,
        max_episodes=windows[1] + 2,
        plateau_threshold=10**9,
        dormant_threshold=10**9,
    )
    optimizer.run()
    first, last = meter.readings
    return last - first


def traced_growth(directory: Path, windows: tuple[int, int], window_size: int) -> int:
    tracemalloc.start()
    try:
        return growth(directory, windows, traced, window_size)
    finally:
        tracemalloc.stop()


def test_windows_take_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the same point of two cycles: 32 evaluations thin, 1,000 steps seed a reset."""
    monkeypatch.setattr(plateau_test, "CAPACITY", 64)
    monkeypatch.setattr(metrics_history, "CAPACITY", 64)
    assert traced_growth(tmp_path, (100, 100 + 32 * 5), 200) <= 8_000


@pytest.mark.nightly
def test_ten_thousand_windows_take_no_memory(tmp_path: Path) -> None:
    """10 million steps in windows 5,000 to 15,240, five cycles of a history of 4,096."""
    assert traced_growth(tmp_path, (5_000, 5_000 + 2_048 * 5), 1_000) <= 2 * MEGABYTE


@pytest.mark.nightly
def test_ten_million_steps_take_no_memory(tmp_path: Path) -> None:
    """What the process holds at its peak, after 100 windows of warm-up."""
    assert growth(tmp_path, (100, 5_100), peak_resident, 2_000) <= 20 * MEGABYTE
