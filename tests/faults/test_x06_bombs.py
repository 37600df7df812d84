"""X06: files that claim to be huge, or are, give a typed error under limits of the kernel."""

from .bombs import BOMBS
from .script import run_script


def test_bombs_are_refused_without_the_memory_and_the_time() -> None:
    survived = run_script("bombs").split()
    assert survived == [bomb.__name__ for bomb in BOMBS]
