"""When rules of stopping stop, on thousands of synthetic learning curves of known course.

T95 is when the true score first comes within 5 % of its range of the final level, in a run that is
continued to three times its budget. A stop is wrong where a later policy of that run is better by
more than 5 % of the range than the best one before the stop.

A window is one of training. Which windows are evaluated is decided as in a run: each, until ten in
a row brought no new best, then up to every fourth (`optix train`), and when the plateau test has
not seen any for 5 % of the round. What is a new best is decided as in a run too, by a trigger and
by fresh episodes.

Curves 0 to 1,999 are for development, 10,000 to 11,999 for reporting.

Run: `uv run --group bench python -m benchmarks.stopping [--first-seed 10000] [--curves 2000]`
"""

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from benchmarks.harness import write_table
from benchmarks.stopping_curves import (
    KINDS,
    SEED_CORRELATION,
    LearningCurve,
    draw_curve,
)
from benchmarks.stopping_curves import VALIDATION_EPISODES as EPISODES
from optix_cli.loop_settings import LoopSettings
from optix_core import EvalMetrics
from optix_core.backoff_scheduler import (
    Evaluation,
    SchedulerState,
    decide,
    is_due,
    start_round,
)
from optix_core.loop_state import LoopState
from optix_core.mean_comparison import PROMOTION_LEVEL
from optix_core.plateau_test import PlateauTest
from optix_core.promotion import FRESH_EPISODES, TRIGGER_Z
from optix_core.scheduler_settings import SchedulerSettings

LIMIT = 3.0
"""A run should have stopped by this many times T95."""
PROOF_Z = NormalDist().inv_cdf(1.0 - PROMOTION_LEVEL)
COMMAND = LoopSettings().scheduler()
RULES: dict[str, tuple[SchedulerSettings, bool]] = {
    "`optix train`: plateau test or count": (COMMAND, True),
    "`optix train` without the plateau test": (COMMAND, False),
    "library defaults: plateau test or count": (SchedulerSettings(), True),
    "library defaults without the plateau test": (SchedulerSettings(), False),
    "20 windows in a row without improvement": (SchedulerSettings(backoff_factor=1.0), False),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run ended on a curve that rises."""

    kind: str
    """Of the curve."""
    n_windows: int
    """Windows until the stop, or all there are."""
    n_evaluations: int
    """Evaluations until then."""
    has_stopped: bool
    """Whether it stopped by itself."""
    t95: int
    """Of the curve, in windows."""
    noise: float
    """Known error of an evaluation, as a share of the range."""
    is_wrong: bool
    """Whether it stopped too early."""

    @property
    def ratio(self) -> float:
        """Stop over T95."""
        return self.n_windows / self.t95


class _Best:
    """What promotion by fresh episodes makes the best of a curve (`optix_core.promotion`)."""

    def __init__(self, curve: LearningCurve) -> None:
        self.score = -math.inf
        self._curve = curve

    def is_beaten(self, window_id: int) -> bool:
        """Hold a window against the best, which it may become."""
        observed, fresh = self._curve.observed[window_id], float(self._curve.fresh[window_id])
        share = EPISODES / FRESH_EPISODES
        trigger = TRIGGER_Z * self._curve.noise * math.sqrt(1.0 + share)
        bar = PROOF_Z * self._curve.noise * math.sqrt(2.0 * share * (1.0 - SEED_CORRELATION))
        is_better = observed > self.score + trigger and fresh > self.score + bar
        if is_better or math.isinf(self.score):
            self.score = fresh
            return True
        return False


def play(curve: LearningCurve, settings: SchedulerSettings, test: PlateauTest | None) -> Outcome:
    """Let a rule decide on a curve, evaluation after evaluation, as the loop does."""
    state, best, n_evaluations = start_round(settings, 0), _Best(curve), 0
    n_windows = len(curve.observed)
    for window_id, score in enumerate(curve.observed.tolist()):
        by_schedule = is_due(state, window_id)
        if not by_schedule and not _is_missed(settings, state, window_id, test):
            continue
        n_evaluations += 1
        metrics = EvalMetrics(score, {"n_episodes": EPISODES, "score_se": curve.noise})
        is_plateau = test is not None and test.observe(metrics, window_id) is not None
        evaluation = Evaluation(
            window_id=window_id,
            score=score,
            is_better=best.is_beaten(window_id),
            confirmed_score=best.score,
            is_plateau=is_plateau,
            is_due=by_schedule,
        )
        state, _ = decide(settings, state, evaluation)
        if state.state is LoopState.DORMANT:
            n_windows = window_id + 1
            break
    return Outcome(
        kind=curve.kind,
        n_windows=n_windows,
        n_evaluations=n_evaluations,
        has_stopped=state.state is LoopState.DORMANT,
        t95=curve.t95 or n_windows,
        noise=curve.noise,
        is_wrong=curve.is_wrong_stop(n_windows),
    )


def _is_missed(
    settings: SchedulerSettings, state: SchedulerState, window_id: int, test: PlateauTest | None
) -> bool:
    if test is None or state.state is not LoopState.COOLING:
        return False
    return test.is_blind(window_id, settings.base_interval)


def main() -> None:
    """Play every rule on every curve, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first-seed", type=int, default=10_000)
    parser.add_argument("--curves", type=int, default=2_000)
    arguments = parser.parse_args()
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.curves)
    curves = [draw_curve(seed) for seed in seeds]
    outcomes = {
        name: [play(curve, settings, PlateauTest() if tests else None) for curve in curves]
        for name, (settings, tests) in RULES.items()
    }
    header = ["median stop / T95", "stopped by 3 × T95", "wrong stops", "median evaluations"]
    write_table(
        ["rule", "curves that rise", *header],
        [[name, *_row(_risen(found))] for name, found in outcomes.items()],
    )
    ours = outcomes[next(iter(RULES))]
    by_kind = {kind: [one for one in _risen(ours) if one.kind == kind] for kind in KINDS}
    write_table(
        ["`optix train`, by kind of curve", "curves", *header],
        [[kind, *_row(found)] for kind, found in by_kind.items() if found],
    )
    by_time = {
        f"T95 of {low} to {high} windows": [one for one in _risen(ours) if low <= one.t95 <= high]
        for low, high in ((1, 7), (8, 15), (16, 31), (32, 63), (64, 999))
    }
    write_table(
        ["`optix train`, by length", "curves", *header],
        [[name, *_row(found)] for name, found in by_time.items() if found],
    )
    by_noise = {
        f"known errors of {share} of the range": [
            one for one in _risen(ours) if low <= one.noise <= high
        ]
        for share, low, high in (
            ("at most 1 %", 0.0, 0.01),
            ("2 %", 0.02, 0.02),
            ("5 %", 0.05, 0.05),
            ("10 %", 0.1, 0.1),
        )
    }
    write_table(
        ["`optix train`, by noise", "curves", *header],
        [[name, *_row(found)] for name, found in by_noise.items() if found],
    )
    flat = [one for one in ours if one.kind == "flat"]
    patience = np.median([one.n_windows for one in flat])
    write_table(
        ["curves that never rise", "median windows until given up"],
        [[str(len(flat)), f"{patience:.0f}"]],
    )


def _risen(outcomes: Sequence[Outcome]) -> list[Outcome]:
    return [one for one in outcomes if one.kind != "flat"]


def _row(outcomes: Sequence[Outcome]) -> list[str]:
    # A run that was stopped before T95 never reached it; it counts among the wrong stops. A curve
    # that ends before three times T95 leaves open whether it would have been stopped by then.
    reached = [one for one in outcomes if one.n_windows >= one.t95]
    known = [one for one in reached if one.has_stopped or one.ratio >= LIMIT]
    in_time = np.mean([one.has_stopped and one.ratio <= LIMIT for one in known]) if known else 0.0
    return [
        str(len(outcomes)),
        f"{np.median([one.ratio for one in outcomes]):.2f}",
        f"{in_time:.3f}",
        f"{np.mean([one.is_wrong for one in outcomes]):.3f}",
        f"{np.median([one.n_evaluations for one in outcomes]):.0f}",
    ]


if __name__ == "__main__":
    main()
