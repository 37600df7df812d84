"""The goals that the study can decide, each with its bar and what was measured."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.harness.aggregates import (
    Interval,
    Strata,
    bootstrap,
    bootstrap_two,
    pooled_iqm,
    pooled_mean,
    probability_of_improvement,
    worst_decile,
)
from benchmarks.study.scores import SOLVED, area, final
from benchmarks.study.stops import StopFigures, endings
from benchmarks.study.tables import Results, Score

RATES = ("rate-low", "rate-high")
PEERS = ("0.6.1-backoff", "0.6.1-pbt", "1.17.9-backoff", "1.17.9-pbt")


@dataclass(frozen=True, slots=True)
class Goal:
    """One line of the table of goals."""

    text: str
    bar: str
    measured: str
    is_met: bool | None
    """None where nothing was run that could decide it."""

    def __str__(self) -> str:
        verdict = {True: "met", False: "missed", None: "not run"}[self.is_met]
        return f"| {self.text} | {self.bar} | {self.measured} | {verdict} |"


def goal_table(results: Results) -> Iterator[str]:
    """Yield the lines of the table."""
    yield "| goal | bar | measured | |"
    yield "|---|---|---|---|"
    yield from map(str, goals(results))
    yield ""


def goals(results: Results) -> Iterator[Goal]:
    """Yield the goals in order; G6, G7, G9 and G10 have benchmarks of their own."""
    yield _no_harm(results)
    yield from _wrong_rates(results)
    for condition in ("default", "population", "evolution"):
        yield from _random_start(results, condition)
    for start in results.starts:
        yield from _stopping(start, StopFigures.of(list(endings(results, start))))
    for peer in PEERS:
        yield from _ahead_of(results, peer)


def _no_harm(results: Results) -> Goal:
    pair = ("default", "fixed")
    measured = _difference(results, pair, ("good",), area)
    is_met = None if measured is None else measured.low > -0.02
    return Goal("G1: area at good settings, default − fixed", "> −0.02", _show(measured), is_met)


def _wrong_rates(results: Results) -> Iterator[Goal]:
    finals = _join(results, "default", RATES, final)
    if not finals:
        yield Goal("G2: rate wrong by 10 to 100 times", "", "", None)
        return
    text = "G2: rate wrong by 10 to 100 times, default,"
    middle = bootstrap(pooled_iqm, finals)
    yield Goal(f"{text} final, IQM", "≥ 0.97", str(middle), middle.estimate >= 0.97)
    worst = worst_decile(finals)
    yield Goal(f"{text} worst decile", "≥ 0.90", f"{worst:.3f}", worst >= 0.9)
    wins = bootstrap_two(probability_of_improvement, finals, _join(results, "fixed", RATES, final))
    yield Goal(f"{text} P(final > fixed)", "≥ 0.90", str(wins), wins.estimate >= 0.9)
    share = _paired_wins(results, ("default", "fixed"), RATES, area)
    yield Goal(
        f"{text} pairs in which the area is larger than fixed's",
        "≥ 0.90",
        _show(share),
        None if share is None else share.estimate >= 0.9,
    )


def _random_start(results: Results, condition: str) -> Iterator[Goal]:
    finals = results.strata(condition, "random", final)
    if not finals:
        return
    text = f"G3: random configurations, {condition},"
    mean = bootstrap(pooled_mean, finals)
    yield Goal(f"{text} final, mean", "≥ 0.87", str(mean), mean.estimate >= 0.87)
    solved = float(np.mean(np.concatenate(list(finals)) >= SOLVED))
    yield Goal(f"{text} solved", "≥ 0.70", f"{solved:.2f}", solved >= 0.7)
    middle = bootstrap(pooled_iqm, results.strata(condition, "random", area))
    yield Goal(f"{text} area, IQM", "≥ 0.55", str(middle), middle.estimate >= 0.55)
    for rival in ("optuna", "random-search"):
        for name, score in (("final", final), ("area", area)):
            measured = _difference(results, (condition, rival), ("random",), score)
            yield Goal(
                f"G4: {name}, {condition} − {rival}",
                "> 0",
                _show(measured),
                None if measured is None else measured.low > 0,
            )


def _stopping(start: str, figures: StopFigures) -> Iterator[Goal]:
    if not figures.n_runs:
        return
    text = f"G5: start {start},"
    ratio = figures.median_ratio
    yield Goal(f"{text} stop / T95, median", "≤ 2.0", f"{ratio:.2f}", ratio <= 2.0)
    yield _share(f"{text} stopped by 3 × T95", figures.n_in_time, figures.n_known, low=0.95)
    yield _share(f"{text} stops too early", figures.n_too_early, figures.n_stopped, high=0.05)


def _share(text: str, n: int, total: int, *, low: float = 0.0, high: float = 1.0) -> Goal:
    bar = f"≥ {low}" if low else f"≤ {high}"
    return Goal(text, bar, f"{n} of {total}", low <= n / total <= high if total else None)


def _ahead_of(results: Results, peer: str) -> Iterator[Goal]:
    for start in results.starts:
        ours, theirs = (results.strata(name, start, area) for name in ("default", peer))
        if not theirs or len(ours) != len(theirs):
            continue
        wins = bootstrap_two(probability_of_improvement, ours, theirs)
        text = f"G8: P(area of default > {peer}), start {start}"
        yield Goal(text, "≥ 0.75", str(wins), wins.estimate >= 0.75)


def _join(results: Results, condition: str, starts: Sequence[str], score: Score) -> Strata:
    return [scores for start in starts for scores in results.strata(condition, start, score)]


def _pairs(results: Results, pair: tuple[str, str], starts: Sequence[str], score: Score) -> Strata:
    return [scores for start in starts for scores in results.paired(*pair, start, score)]


def _difference(
    results: Results, pair: tuple[str, str], starts: Sequence[str], score: Score
) -> Interval | None:
    strata = _pairs(results, pair, starts, score)
    return bootstrap(pooled_mean, strata) if strata else None


def _paired_wins(
    results: Results, pair: tuple[str, str], starts: Sequence[str], score: Score
) -> Interval | None:
    strata = [
        (differences > 0) + 0.5 * (differences == 0)
        for differences in _pairs(results, pair, starts, score)
    ]
    return bootstrap(pooled_mean, strata) if strata else None


def _show(measured: Interval | None) -> str:
    return "–" if measured is None else str(measured)
