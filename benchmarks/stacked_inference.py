"""Many members' forward passes as one, against a loop over `model(x)`, which is what others do.

Run: `uv run --group bench python -m benchmarks.stacked_inference`
"""

import argparse
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.ensemble_members import (
    EagerPolicy,
    NumpyPolicy,
    PlainPolicy,
    convolutional,
    keras_agents,
    keras_models,
    mlp,
    normalised,
    with_skip,
)
from benchmarks.harness import (
    Goal,
    Ratio,
    Variant,
    cpu_seconds_per_call,
    interleave,
    one_thread,
    write_ratios,
    write_table,
)
from optix_evolve import MemberInference, Question

SMALL, WIDE, TALL = (4, 64, 64, 2), (17, 256, 256, 6), (17, 64, 64, 17)
MEMBERS, OBSERVATIONS = 1024, 4096


@dataclass(frozen=True)
class Case:
    """Members of one structure and a batch."""

    what: str
    make: Callable[[Any], Any]
    shape: tuple[int, ...]
    n_members: int
    n_rows: int
    goal: float
    compiled_goal: float | None = None


CASES = [
    Case("4-64-64-2", mlp(SMALL), (4,), 16, 1, 500, 1500),
    Case("17-256-256-6", mlp(WIDE), (17,), 16, 1, 150, 150),
    Case("4-64-64-2", mlp(SMALL), (4,), 64, 256, 25),
    Case("17-256-256-6", mlp(WIDE), (17,), 64, 256, 4),
    Case("layer and batch normalisation", normalised, (4,), 16, 1, 40),
    Case("layer and batch normalisation", normalised, (4,), 16, 64, 40),
    Case("functional with a skip", with_skip, (4,), 16, 1, 40),
    Case("functional with a skip", with_skip, (4,), 16, 64, 40),
    Case("Conv2D", convolutional, (12, 12, 2), 16, 1, 8),
    Case("Conv2D", convolutional, (12, 12, 2), 16, 64, 8),
]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    rounds = parser.parse_args().rounds
    one_thread()
    _write_memory()
    ratios = [ratio for case in CASES for ratio in _measure(case, rounds)]
    ratios += _fallback(rounds)
    write_ratios(ratios, unit="CPU μs per answer of all members", scale=1e6)
    write_ratios(_share_of_peak(rounds), unit="CPU ns per million products", scale=1e15)


def _measure(case: Case, rounds: int) -> list[Ratio]:
    """Actions of all members: the loop takes the outputs alone, Optix their largest as well."""
    models = keras_models(case.make, case.n_members)
    batch = _observations(case.n_rows, *case.shape)
    loop = _sample(lambda: _loop(models, batch))
    plain = MemberInference(keras_agents(models), compiled=False)
    variants = [Variant("loop", loop), Variant("plain", _sample(lambda: _ask(plain, batch)))]
    if case.compiled_goal is not None:
        fast = MemberInference(keras_agents(models), compiled=True)
        variants.append(Variant("compiled", _sample(lambda: _ask(fast, batch))))
    samples = interleave(variants, rounds=rounds, warm_up_rounds=3)
    what = f"{case.n_members} members {case.what}, B = {case.n_rows}: loop / Optix"
    if not plain.stacked:
        what += " (not stacked)"
    ratios = [Ratio(what, samples["loop"], samples["plain"], Goal(case.goal))]
    if case.compiled_goal is not None:
        goal = Goal(case.compiled_goal)
        ratios.append(Ratio(f"{what} with numba", samples["loop"], samples["compiled"], goal))
    return ratios


def _fallback(rounds: int) -> list[Ratio]:
    """Members that do not stack, asked by Optix and by a loop of the caller's own."""
    eager = [EagerPolicy(model) for model in keras_models(mlp(SMALL), 16)]
    numpy = [PlainPolicy(SMALL, seed) for seed in range(16)]
    kinds: list[tuple[str, Sequence[Any]]] = [("Keras", eager), ("NumPy", numpy)]
    return [
        _fallback_of(name, members, n_rows, rounds) for name, members in kinds for n_rows in (1, 64)
    ]


def _fallback_of(name: str, members: Sequence[Any], n_rows: int, rounds: int) -> Ratio:
    batch = _observations(n_rows, 4)
    inference = MemberInference(members)
    variants = [
        Variant("optix", _sample(lambda: _ask(inference, batch))),
        Variant("loop", _sample(lambda: np.stack([m.act_batch(batch) for m in members]))),
    ]
    samples = interleave(variants, rounds=rounds, warm_up_rounds=3)
    what = f"fallback of 16 {name} members, B = {n_rows}: Optix / loop"
    return Ratio(what, samples["optix"], samples["loop"], Goal(1.05, at_most=True))


def _share_of_peak(rounds: int) -> list[Ratio]:
    """Time of a product by a 1024² matrix product, over that by a forward pass."""
    square = np.ones((1024, 1024), np.float32)
    out = np.empty_like(square)
    peak = _sample(lambda: np.dot(square, square, out=out))
    ratios: list[Ratio] = []
    for sizes, goal in ((SMALL, None), (WIDE, Goal(0.5))):
        inference = MemberInference([NumpyPolicy(sizes, seed) for seed in range(64)])
        batch = _observations(256, sizes[0])
        forward = _sample(lambda inference=inference, batch=batch: _ask(inference, batch))
        products = 64 * 256 * sum(n * m for n, m in pairwise(sizes))
        variants = [
            Variant("peak", lambda: peak() / 1024**3),
            Variant("forward", lambda forward=forward, products=products: forward() / products),
        ]
        samples = interleave(variants, rounds=rounds, warm_up_rounds=3)
        what = f"64 NumPy members {'-'.join(map(str, sizes))}, B = 256: share of the sgemm peak"
        ratios.append(Ratio(what, samples["peak"], samples["forward"], goal))
    return ratios


def _write_memory() -> None:
    """What the weighted mean of 1,024 members takes, from making the stack to the result."""
    members = [NumpyPolicy(TALL, seed) for seed in range(MEMBERS)]
    batch = _observations(OBSERVATIONS, TALL[0])
    weights = np.ones(MEMBERS)
    # Loads and compiles the averaging kernel, which is no memory of the ensemble's.
    MemberInference(members[:40]).mean(Question.GREEDY, batch, weights[:40])
    before, began = _peak_bytes(), time.process_time()
    MemberInference(members).mean(Question.GREEDY, batch, weights)
    seconds, used = time.process_time() - began, _peak_bytes() - before
    buffer = MEMBERS * OBSERVATIONS * TALL[-1] * 4
    row = [
        f"{MEMBERS} NumPy members {'-'.join(map(str, TALL))}, {OBSERVATIONS} observations, float32",
        f"{used / 1e6:.0f} MB",
        f"{buffer / 1e6:.0f} MB",
        f"{used / buffer:.2f}",
        Goal(2.2, at_most=True).verdict(used / buffer),
        f"{seconds:.2f}",
    ]
    header = ["what", "peak memory beyond the members", "buffer", "ratio", "goal", "CPU s"]
    write_table(header, [row])


def _peak_bytes() -> int:
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale


def _observations(n_rows: int, *shape: int) -> Any:
    return np.random.default_rng(0).normal(size=(n_rows, *shape)).astype(np.float32)


def _loop(models: Sequence[Any], batch: Any) -> list[Any]:
    return [model(batch) for model in models]


def _ask(inference: MemberInference, batch: Any) -> Any:
    return inference.ask(Question.GREEDY, batch)


_sample = cpu_seconds_per_call

if __name__ == "__main__":
    main()
