"""Take samples of variants in turns, so that a busy moment of the machine hits them all alike."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

SAMPLE_S = 0.003
"""CPU seconds of one sample of a repeated call: long against the clock's own cost, short against a
disturbance."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One side of a comparison."""

    name: str
    """What the table calls it."""
    sample: Callable[[], float]
    """Measures once: CPU (or wall) seconds of one unit of work, here or in a worker."""


def interleave(
    variants: Sequence[Variant], *, rounds: int, warm_up_rounds: int = 1
) -> dict[str, list[float]]:
    """Sample A B C, then C B A, and so on; the first `warm_up_rounds` are thrown away.

    Args:
        variants: what to sample; names must differ.
        rounds: samples kept of each variant.
        warm_up_rounds: rounds in which compilation, caches and calibration happen.

    Returns:
        The samples of each variant by name, in the order taken.
    """
    samples: dict[str, list[float]] = {variant.name: [] for variant in variants}
    for round_index in range(warm_up_rounds + rounds):
        for variant in variants if round_index % 2 == 0 else variants[::-1]:
            seconds = variant.sample()
            if round_index >= warm_up_rounds:
                samples[variant.name].append(seconds)
    return samples


def cpu_seconds_per_call(
    call: Callable[[], object], *, sample_s: float = SAMPLE_S
) -> Callable[[], float]:
    """Make a `Variant.sample` that repeats a call often enough: process CPU seconds per call.

    The number of repetitions is found at the first sample and kept.
    """
    repeats = 0

    def sample() -> float:
        nonlocal repeats
        if repeats == 0:
            repeats = _repeats_for(call, sample_s)
        return _cpu_seconds(call, repeats) / repeats

    return sample


def _repeats_for(call: Callable[[], object], sample_s: float) -> int:
    call()
    repeats = 1
    while _cpu_seconds(call, repeats) < sample_s:
        repeats *= 2
    return repeats


def _cpu_seconds(call: Callable[[], object], repeats: int) -> float:
    began = time.process_time()
    for _ in range(repeats):
        call()
    return time.process_time() - began
