"""Optix's kernels against the arithmetic they replace, and against what this machine can read.

Run: `uv run --group bench python -m benchmarks.kernels`
"""

import argparse
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

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
from optix_evolve import signals
from optix_evolve._kernels import voting
from optix_evolve.action_arithmetic import (
    ActionBuffer,
    MemberWeights,
    mean_softmax,
    weighted_mean,
    weighted_vote,
)

Floats = NDArray[np.floating[Any]]

N_SERIES, N_SCORES = 100_000, 10
LOOP_SERIES = 250
"""Series that the peer's loop is timed on; its time is scaled to all of them."""
BIG = 30e6
"""Bytes above which memory, not arithmetic, is what a mean waits for."""
MEAN_SHAPES = [(4, 1, 1), (16, 1, 6), (64, 256, 6), (256, 4096, 8), (1024, 4096, 17)]
VOTE_SHAPES = [(16, 1, 6), (64, 256, 6), (256, 4096, 8), (1024, 4096, 17)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    one_thread()
    _one_window(rounds)
    _many_windows(rounds)
    _means(rounds)
    _votes(rounds)
    _softmaxes(rounds)


def _one_window(rounds: int) -> None:
    scores = np.random.default_rng(0).normal(size=N_SCORES)
    listed, x = scores.tolist(), np.arange(N_SCORES)
    other = np.random.default_rng(1).normal(size=N_SCORES)
    samples = _sampled(
        rounds,
        {
            "polyfit": lambda: np.polyfit(x, scores, 1),
            "slope of an array": lambda: signals.slope(scores),
            "slope of a list": lambda: signals.slope(listed),
            "corrcoef": lambda: np.corrcoef(scores, other),
            "pearson": lambda: signals.pearson(scores, other),
        },
    )
    polyfit = samples["polyfit"]
    ratios = [
        Ratio("`slope` of an array of 10", polyfit, samples["slope of an array"], Goal(10)),
        Ratio("`slope` of a list of 10", polyfit, samples["slope of a list"], Goal(10)),
        Ratio("`pearson` of arrays of 10", samples["corrcoef"], samples["pearson"]),
    ]
    write_ratios(ratios, unit="CPU μs, NumPy's call / ours, no numba", scale=1e6)


def _many_windows(rounds: int) -> None:
    scores, train, val = np.random.default_rng(2).normal(size=(3, N_SERIES, N_SCORES))
    x = np.arange(N_SCORES)
    share = N_SERIES / LOOP_SERIES

    def polyfits() -> None:
        for row in scores[:LOOP_SERIES]:
            np.polyfit(x, row, 1)

    def corrcoefs() -> None:
        for first, second in zip(train[:LOOP_SERIES], val[:LOOP_SERIES], strict=True):
            np.corrcoef(first, second)

    samples = _sampled(
        rounds,
        {
            "polyfits": polyfits,
            "corrcoefs": corrcoefs,
            "slopes": lambda: signals.slopes(scores),
            "pearsons": lambda: signals.pearsons(train, val),
            "noise": lambda: signals.noise_scales(scores, train, val),
        },
    )
    polyfit = [share * seconds for seconds in samples["polyfits"]]
    corrcoef = [share * seconds for seconds in samples["corrcoefs"]]
    both = [a + b for a, b in zip(polyfit, corrcoef, strict=True)]
    size = f"{N_SERIES:,} × {N_SCORES}"
    ratios = [
        Ratio(f"`slopes` of {size}", polyfit, samples["slopes"], Goal(1000)),
        Ratio(f"`pearsons` of {size}", corrcoef, samples["pearsons"]),
        Ratio(f"`noise_scales` of {size}, against both", both, samples["noise"]),
    ]
    write_ratios(ratios, unit="CPU ms, loop over NumPy's call / ours", scale=1e3)


def _means(rounds: int) -> None:
    ratios: list[Ratio] = []
    bandwidths: list[tuple[str, str, str, str]] = []
    for shape in MEAN_SHAPES:
        for dtype in (np.float32, np.float64):
            samples, n_bytes = _sampled_means(rounds, shape, dtype)
            name = f"{shape} {dtype.__name__}"
            ratios += _mean_ratios(name, samples, n_bytes)
            if n_bytes > BIG:
                bandwidths.append(_bandwidth_row(name, samples, n_bytes))
    write_ratios(ratios, unit="CPU μs, sum over members / ours", scale=1e6)
    header = ("weighted mean", "read bandwidth, GB/s", "ours, GB/s", "share (goal ≥ 0.75)")
    write_table(header, bandwidths)


def _sampled_means(
    rounds: int, shape: tuple[int, int, int], dtype: type[np.floating[Any]]
) -> tuple[dict[str, list[float]], int]:
    rng = np.random.default_rng(3)
    raw: list[float] = rng.random(shape[0]).tolist()
    weights = MemberWeights(raw)
    buffer = ActionBuffer(weights, shape[1:], dtype)
    outputs, out = buffer.outputs, np.empty(shape[1:], dtype)
    outputs[:] = rng.normal(size=shape)
    variants: dict[str, Callable[[], object]] = {
        "as floats": lambda: _sum_over_members(outputs, raw),
        "as given": lambda: sum(np.asarray(a) * w for a, w in zip(outputs, raw, strict=True)),
        "ours": buffer.mean,
        "kernel": lambda: weighted_mean(outputs, weights, out=out, compiled=True),
        "BLAS": lambda: weighted_mean(outputs, weights, out=out, compiled=False),
    }
    if outputs.nbytes > BIG:
        streams = outputs.reshape(8, -1)
        variants |= {"read": lambda: _reader()(streams)}
    return _sampled(rounds, variants), outputs.nbytes


def _sum_over_members(outputs: Floats, weights: Sequence[float]) -> Floats:
    # What 0.6.1 does with the actions its members gave.
    total = sum(weights)
    members = zip(outputs, weights, strict=True)
    mean: Any = sum(np.asarray(a, dtype=float) * w for a, w in members) / total
    return mean


def _mean_ratios(name: str, samples: dict[str, list[float]], n_bytes: int) -> list[Ratio]:
    goal = Goal(25) if name == "(64, 256, 6) float32" else None
    if n_bytes > BIG:
        goal = Goal(4) if name.endswith("float32") else Goal(1.6)
    peer = samples["as floats"]
    return [
        Ratio(f"{name}, `ActionBuffer.mean`", peer, samples["ours"], goal),
        Ratio(f"{name}, the same, sum without conversion", samples["as given"], samples["ours"]),
        Ratio(f"{name}, `weighted_mean`, kernel", peer, samples["kernel"]),
        Ratio(f"{name}, `weighted_mean`, BLAS", peer, samples["BLAS"]),
    ]


def _bandwidth_row(
    name: str, samples: dict[str, list[float]], n_bytes: int
) -> tuple[str, str, str, str]:
    read, ours = (n_bytes / float(np.median(samples[key])) / 1e9 for key in ("read", "ours"))
    return name, f"{read:.1f}", f"{ours:.1f}", f"{ours / read:.2f}"


@functools.cache
def _reader() -> Callable[[Floats], float]:
    # As fast as one thread reads: eight streams, and sums that may be reordered, so that memory is
    # all it waits for. One stream reaches half of that.
    @numba.njit(fastmath=True)
    def read(streams: Floats) -> float:
        a, b, c, d = streams[0], streams[1], streams[2], streams[3]
        e, f, g, h = streams[4], streams[5], streams[6], streams[7]
        total = a[0] * 0
        for i in range(a.size):
            total += (a[i] + b[i]) + (c[i] + d[i]) + ((e[i] + f[i]) + (g[i] + h[i]))
        return total

    return read


def _votes(rounds: int) -> None:
    ratios: list[Ratio] = []
    for n_members, n_places, n_actions in VOTE_SHAPES:
        rng = np.random.default_rng(4)
        raw = rng.random(n_members)
        weights = MemberWeights(raw)
        for dtype in (np.int64, np.uint8):
            actions = rng.integers(n_actions, size=(n_members, n_places)).astype(dtype)
            ratios += _vote_ratios(rounds, actions, (raw, weights), n_actions)
    write_ratios(ratios, unit="CPU μs, bincount / ours", scale=1e6)


def _vote_ratios(
    rounds: int,
    actions: NDArray[np.integer[Any]],
    weights: tuple[NDArray[np.float64], MemberWeights],
    n_actions: int,
) -> list[Ratio]:
    raw, member_weights = weights
    out = np.empty(actions.shape[1], np.int64)
    samples = _sampled(
        rounds,
        {
            "bincount": lambda: _bincount(actions, raw, n_actions),
            "ours": lambda: weighted_vote(actions, member_weights, n_actions),
            "kernel": lambda: voting.weighted_vote(actions, member_weights.shares, n_actions, out),
        },
    )
    name = f"vote {(*actions.shape, n_actions)} {actions.dtype}"
    goal = Goal(8 if actions.shape[1] == 1 else 3)
    return [
        Ratio(f"{name}, `weighted_vote`", samples["bincount"], samples["ours"]),
        Ratio(f"{name}, kernel alone", samples["bincount"], samples["kernel"], goal),
    ]


def _bincount(
    actions: NDArray[np.integer[Any]], weights: NDArray[np.float64], n_actions: int
) -> NDArray[np.intp]:
    n_places = actions.shape[1]
    places = actions + n_actions * np.arange(n_places, dtype=np.int64)
    tally = np.bincount(places.ravel(), np.repeat(weights, n_places), n_actions * n_places)
    return tally.reshape(n_places, n_actions).argmax(axis=1)


def _softmaxes(rounds: int) -> None:
    ratios: list[Ratio] = []
    for shape in VOTE_SHAPES[:3]:
        rng = np.random.default_rng(5)
        logits, raw = rng.normal(size=shape).astype(np.float32), rng.random(shape[0])
        samples = _sampled(
            rounds,
            {
                "loop": functools.partial(_softmax_loop, logits, raw.tolist()),
                "ours": functools.partial(mean_softmax, logits, MemberWeights(raw)),
                "compiled": functools.partial(
                    mean_softmax, logits, MemberWeights(raw), compiled=True
                ),
            },
        )
        ratios += [
            Ratio(f"mean softmax {shape}", samples["loop"], samples["ours"]),
            Ratio(f"mean softmax {shape}, kernel", samples["loop"], samples["compiled"]),
        ]
    write_ratios(ratios, unit="CPU μs, loop over members / ours", scale=1e6)


def _softmax_loop(logits: Floats, weights: Sequence[float]) -> Floats:
    mean = np.zeros(logits.shape[1:])
    for member, weight in zip(logits, weights, strict=True):
        powers = np.exp(member - member.max(axis=-1, keepdims=True))
        mean += weight * (powers / powers.sum(axis=-1, keepdims=True))
    return mean / sum(weights)


def _sampled(rounds: int, calls: dict[str, Callable[[], object]]) -> dict[str, list[float]]:
    variants = [Variant(name, cpu_seconds_per_call(call)) for name, call in calls.items()]
    return interleave(variants, rounds=rounds, warm_up_rounds=2)


if __name__ == "__main__":
    main()
