"""What a run hands back beside the policy: why it ended, what it reached, at what cost."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from optix_core.decisions import StopReason
from optix_core.loop_state import LoopState
from optix_core.mean_comparison import MeanEvidence, minimum_detectable_effect
from optix_core.policy_snapshot import PolicySnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """The outcome of a run."""

    run_id: int
    """Number of the run within its directory."""
    seed: int
    """What every stream of the run was drawn from."""
    stop_reason: StopReason
    """Why it ended."""
    detail: str
    """The reason in a sentence."""
    state: LoopState
    """State of the loop at the end."""
    windows: int
    """Windows collected, those of branches included."""
    steps: int
    """Environment steps of training."""
    validation_steps: int
    """Environment steps of validation."""
    evaluations: int
    """Windows at which a score was made."""
    rounds: int
    """Rounds begun, the first included."""
    first_score: float | None
    """The first finite score; None where there was none."""
    best_score: float | None
    """What the best policy is held to score: its mean on fresh episodes where they were played,
    else its window's score. None where no score was finite."""
    best_score_se: float | None
    """Its standard error, where the evaluator gives one."""
    best_n_episodes: int | None
    """Number of episodes behind it, where the evaluator says."""
    best_window: int | None
    """Window that it played, and whose score made it the best."""
    best_snapshot_id: str | None
    """Its snapshot."""
    contenders: int = 0
    """How many policies played off on fresh episodes for being the best; 0 where none did."""
    detectable: float | None = None
    """The true gain over the best that as many episodes again prove with probability 0.8 at level
    0.02 (`mean_comparison.minimum_detectable_effect`); None where the score has no evidence."""
    hyperparams: Mapping[str, Any]
    """Hyperparameters of the best policy; those in force at the end where there is none."""
    tuner: str
    """What tuned the hyperparameters; "none" for nothing."""
    branch_windows: int = 0
    """Windows of training on branches, where a tuner tried hyperparameters out."""
    skipped_windows: int = 0
    """Windows that were passed over, their rewards or observations being NaN or infinite."""
    callback_errors: Mapping[str, int] = field(default_factory=dict[str, int])
    """How often each callback raised."""
    error: str = ""
    """What a failed run raised, in one line."""
    time_s: float = 0.0
    """Wall-clock seconds."""


def best_fields(best: PolicySnapshot | None) -> dict[str, Any]:
    """Return the fields of a report that speak of the best policy; None where there is none."""
    if best is None:
        names = ("best_score", "best_score_se", "best_n_episodes", "best_window")
        return dict.fromkeys((*names, "best_snapshot_id", "detectable"))
    evidence = MeanEvidence.of(best.eval_metrics)
    return {
        "best_score": best.eval_metrics.primary_score,
        "best_score_se": best.eval_metrics.score_se,
        "best_n_episodes": best.eval_metrics.n_episodes,
        "best_window": best.episode_id,
        "best_snapshot_id": best.snapshot_id,
        "detectable": (
            None if evidence is None else minimum_detectable_effect(evidence, evidence.n)
        ),
    }


def render_report(report: RunReport) -> str:
    """Write a report as text, one fact a line."""
    rows = [
        ("Reason", f"{report.stop_reason.value}: {report.detail}"),
        ("Best score", _best(report)),
        ("First score", _number(report.first_score)),
        ("Windows", _windows(report)),
        ("Steps", f"{report.steps:,} training, {report.validation_steps:,} validation"),
        ("Rounds", str(report.rounds)),
        ("Tuned by", report.tuner),
        ("Hyperparameters", _settings(report.hyperparams)),
        ("Seed", str(report.seed)),
        ("Time", f"{report.time_s:.1f} s"),
    ]
    if report.detectable:  # 0.0 where all episodes returned the same
        gain = f"a gain of {report.detectable:.4g}, by {report.best_n_episodes} episodes with p 0.8"
        rows.insert(2, ("Detectable", gain))
    if report.skipped_windows:
        rows.append(("Passed over", f"{report.skipped_windows:,} windows that were not finite"))
    if report.contenders:
        rows.insert(2, ("Final choice", f"among {report.contenders} policies, on fresh episodes"))
    if report.callback_errors:
        failures = ", ".join(f"{name} × {n}" for name, n in report.callback_errors.items())
        rows.append(("Callback errors", failures))
    if report.error:
        rows.append(("Error", report.error))
    return "\n".join(f"{label:<16} {value}" for label, value in rows)


def _windows(report: RunReport) -> str:
    branches = f", {report.branch_windows:,} on branches" if report.branch_windows else ""
    return f"{report.windows:,} ({report.evaluations:,} evaluated{branches})"


def _best(report: RunReport) -> str:
    if report.best_score is None:
        return "none: no score was finite"
    evidence = ""
    if report.best_score_se is not None and report.best_n_episodes is not None:
        spread = f" ± {report.best_score_se:.4g}" if math.isfinite(report.best_score_se) else ""
        evidence = f"{spread} (standard error, {report.best_n_episodes} episodes)"
    return f"{_number(report.best_score)}{evidence}, window {report.best_window}"


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.6g}"


def _settings(params: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={_value(value)}" for name, value in params.items()) or "none"


def _value(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
