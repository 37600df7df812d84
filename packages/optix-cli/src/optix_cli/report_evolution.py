"""What a report says of evolution: rounds, where variants come from, what members weigh."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from optix_cli.run_history import Event, RunHistory
from optix_cli.wording import score_text

Row = tuple[str, str]


def evolution_rows(history: RunHistory) -> list[Row]:
    """Return the lines about rounds and members as (label, text); none for a run of one agent."""
    if history.ensemble is None and not history.spawned:
        return []
    rounds = [_round_text(history, number) for number in range(len(history.rounds_started) + 1)]
    rows = [("" if number else "Rounds", text) for number, text in enumerate(rounds)]
    if history.ensemble is not None:
        status: Mapping[str, Any] = history.ensemble["status"]
        members = [_member_text(member) for member in status["agents"]]
        rows.append(("Ensemble", _ensemble_text(status)))
        rows.extend(("", text) for text in members)
    if history.ensemble_selected is not None:
        rows.append(("", _choice_text(history.ensemble_selected)))
    return rows


def _round_text(history: RunHistory, number: int) -> str:
    windows = _windows_of(history, number)
    scores = [event["score"] for event in windows if event.get("score") is not None]
    reached = f"best {score_text(max(scores))}" if scores else "no score"
    count = "1 window" if len(windows) == 1 else f"{len(windows):,} windows"
    # A spawn that came with the end of the run began no round.
    is_told = 0 < number <= len(history.spawned)
    origin = f"; {_lineage_text(history.spawned[number - 1]['lineage'])}" if is_told else ""
    return f"{number + 1}: {count}, {reached}{origin}"


def _windows_of(history: RunHistory, number: int) -> list[Event]:
    """Return a round's windows: those after the one in which the round before it ended."""
    ends = [-1, *(event["window"] for event in history.rounds_started)]
    bounds = [*pairwise(ends), (ends[-1], None)]
    after, last = bounds[number]
    return [
        event
        for event in history.windows
        if event["window"] > after and (last is None or event["window"] <= last)
    ]


def _lineage_text(lineage: Mapping[str, Any]) -> str:
    parent = "fresh weights"
    if lineage["parent"] is not None:
        parent = f"from {lineage['parent']} ({score_text(lineage['parent_score'])})"
    noise = lineage["noise_scale"]
    strength = "" if noise is None else f", noise {noise:.3g}"
    changes = ", ".join(
        f"{name} {_value(old)} → {_value(new)}"
        for name, (old, new) in lineage["perturbation"].items()
    )
    return f"{parent}{strength}, {changes or 'nothing changed'}"


def _ensemble_text(status: Mapping[str, Any]) -> str:
    size, pruned = status["ensemble_size"], status["prune_count"]
    limit = "no limit" if status["max_spawns"] is None else status["max_spawns"]
    members = "1 member" if size == 1 else f"{size} members"
    return f"{members}, {pruned} pruned, {status['spawn_count']} of {limit} spawns"


def _member_text(member: Mapping[str, Any]) -> str:
    round_number = member["lineage"]["round"] + 1
    return (
        f"{member['index']}: weight {member['weight']:.3g}, mean score "
        f"{score_text(member['mean_score'])}, round {round_number}"
    )


def _choice_text(selected: Event) -> str:
    acting = ", ".join(str(position) for position in selected["members"])
    how = "act together" if len(selected["members"]) > 1 else "acts alone, no other improves on it"
    return (
        f"{acting} {how}: {score_text(selected['mean'])}, chosen on {selected['episodes']:,} fresh "
        f"episodes, {selected['steps']:,} steps of validation"
    )


def _value(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
