"""Writes the report of a run: why it ended, what it reached, what that rests on, what it cost."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from optix_cli.report_evolution import evolution_rows
from optix_cli.run_history import RunHistory
from optix_cli.sparkline import sparkline
from optix_cli.wording import duration_text, score_text, score_with_error

CURVE_WIDTH = 50
"""Columns that the curve of scores takes."""

Row = tuple[str, str]


def report_rows(history: RunHistory, run_dir: Path) -> list[Row]:
    """Return the lines of a report as (label, text)."""
    rows = [
        ("Stopped", _reason(history)),
        ("Best score", _best(history)),
        *_evidence(history),
        ("Test score", _test(history)),
    ]
    if history.ensemble_tested is not None:
        rows.append(("", f"{outcome_text(history.ensemble_tested)}, the ensemble"))
        rows.extend(disagreement_rows(history.ensemble_tested))
    scores = history.scores
    if scores:
        span = f"{score_text(min(scores))} to {score_text(max(scores))}"
        rows.append(("Scores", f"{sparkline(scores, CURVE_WIDTH)}  {span}"))
    rows.extend(evolution_rows(history))
    rows.extend(_cost(history))
    rows.extend(_troubles(history))
    rows.append(("Run", _place(history, run_dir)))
    return rows


def next_commands(history: RunHistory, run_dir: Path) -> list[str]:
    """Return what may be run next."""
    if history.best_window is None:
        return []
    agent, env_id = train_section(history).get("agent"), train_section(history).get("env_id")
    command = ["optix", "evaluate", str(run_dir)]
    # A module is imported only when it is typed.
    command += ["--agent", str(agent)] if agent is not None and ":" in str(agent) else []
    command += ["--env", str(env_id)] if env_id is not None and ":" in str(env_id) else []
    commands = [command, ["optix", "report", str(run_dir)]]
    if history.ensemble_tested is not None:
        commands.insert(1, [*command, "--ensemble"])
    return [shlex.join(words) for words in commands]


def settings_text(settings: Mapping[str, Any]) -> str:
    """Write settings as name=value, one after the other."""
    return "  ".join(f"{name}={_value(value)}" for name, value in settings.items()) or "none"


def _value(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def run_title(env_id: object, agent: object, seed: object) -> str:
    """Return the heading of a run."""
    return f"{env_id} · {agent} · seed {seed}"


def title_of(history: RunHistory) -> str:
    """Return the heading of a run that `optix train` made, or of any other."""
    asked, typed = history.asked.get("run", {}), train_section(history)
    return run_title(
        typed.get("env_id", asked.get("pipeline", "run")),
        typed.get("agent", asked.get("agent", "?")),
        asked.get("seed", "?"),
    )


def train_section(history: RunHistory) -> Mapping[str, Any]:
    """Return what was typed after `optix train`; empty where the run was not made by it."""
    return history.asked.get("train", {})


def outcome_text(test: Mapping[str, Any]) -> str:
    """Write the outcome of a test: its mean, 95 % interval and number of episodes."""
    low, high = test.get("low"), test.get("high")
    interval = "" if low is None or high is None else _interval(float(low), float(high))
    manner = "greedy" if test.get("greedy", True) else "sampled, since the agent has no act_greedy"
    count = int(test["n_episodes"])
    played = "1 fresh episode" if count == 1 else f"{count} fresh episodes"
    return f"{score_text(test['mean'])}{interval}, {played}, {manner}"


def disagreement_rows(test: Mapping[str, Any]) -> list[Row]:
    """Return the line about an ensemble's members in a test; none for a single policy."""
    apart = test.get("disagreement")
    return [] if apart is None else [("", f"{apart:.3g} disagreement between its members")]


def _interval(low: float, high: float) -> str:
    return f" (95 % interval {score_text(low)} to {score_text(high)})"


def _reason(history: RunHistory) -> str:
    stopped = history.stopped
    if stopped is None:
        return (
            "no end is recorded: the process was killed, or is still running; what was saved "
            "until then is intact"
        )
    return f"{stopped['stop_reason']}: {stopped['detail']}"


def _best(history: RunHistory) -> str:
    window = history.best_window
    if window is None:
        return "none: no score was finite"
    metrics: Mapping[str, Any] = window.get("metrics") or {}
    score, error, count = window["score"], metrics.get("score_se"), metrics.get("n_episodes")
    kind = "validation " if "val_score" in metrics else ""
    if (best := history.best) is not None:
        score, error, count = (best[f"best_{n}"] for n in ("score", "score_se", "n_episodes"))
        kind = "fresh " if _has_fresh(history, window) else kind
    evidence = "" if count is None else f" standard error, {count} {kind}episodes"
    return f"{score_with_error(score, error)}{evidence}, after {window['steps']:,} steps"


def _has_fresh(history: RunHistory, window: Mapping[str, Any]) -> bool:
    of_window = [event for event in history.promotions if event["window"] == window["window"]]
    has_played_off = bool((history.stopped or {}).get("contenders"))
    return has_played_off or any(event.get("fresh_episodes") for event in of_window)


def _evidence(history: RunHistory) -> Sequence[Row]:
    """What was tried for the best, and what gain over it would show."""
    tried = history.promotions[1:]  # the first is the baseline
    confirmed = sum(bool(event.get("promoted")) for event in tried)
    gain = (history.best or {}).get("detectable")
    texts = [f"{confirmed} of {len(tried)} better scores confirmed"] if tried else []
    if contenders := (history.stopped or {}).get("contenders"):
        texts.append(f"{contenders} policies played off")
    if gain:  # none where all episodes returned the same
        texts.append(f"a gain of {score_text(gain)} shows with probability 0.8")
    return [("Evidence", "; ".join(texts))] if texts else []


def _test(history: RunHistory) -> str:
    return "not tested" if history.tested is None else outcome_text(history.tested)


def _cost(history: RunHistory) -> Sequence[Row]:
    if not history.windows:
        return [("Windows", "0")]
    last = history.windows[-1]
    evaluated = sum(event.get("metrics") is not None for event in history.windows)
    n_branches = (history.stopped or {}).get("branch_windows", 0)
    branches = f"; {n_branches:,} more on branches" if n_branches else ""
    time_s = (history.stopped or last).get("time_s", 0.0)
    return [
        ("Steps", f"{last['steps']:,} training, {last['validation_steps']:,} validation"),
        ("Windows", f"{len(history.windows):,}, {evaluated:,} of them evaluated{branches}"),
        ("Time", duration_text(float(time_s))),
    ]


def _troubles(history: RunHistory) -> Sequence[Row]:
    errors: Mapping[str, int] = (history.stopped or {}).get("callback_errors") or {}
    return [("Trouble", f"{name} raised {count} times") for name, count in errors.items()]


def _place(history: RunHistory, run_dir: Path) -> str:
    return str(run_dir) if history.run_id <= 1 else f"{run_dir}, run {history.run_id} there"
