"""The report of an ensemble's training, as text and as JSON: pure functions of what is known."""

from collections.abc import Mapping
from typing import Any

from optix_core import EvalMetrics
from optix_evolve.population import Lineage, Member

_WIDTH = 54


def member_status(index: int, member: Member) -> dict[str, Any]:
    """Describe a member in JSON types."""
    return {
        "index": index,
        "weight": member.weight,
        "mean_score": member.mean_score,
        "recent_scores": list(member.recent_scores),
        "lineage": lineage_status(member.lineage),
    }


def lineage_status(lineage: Lineage) -> dict[str, Any]:
    """Describe where a variant comes from, in JSON types."""
    noise = lineage.noise
    return {
        "round": lineage.round_index,
        "parent": lineage.parent_snapshot_id,
        "parent_score": lineage.parent_score,
        "perturbation": {name: list(pair) for name, pair in lineage.perturbation.items()},
        "noise_scale": None if noise is None else noise.noise_scale,
        "noise_signals": None
        if noise is None
        else {
            "progress": noise.progress,
            "gap_penalty": noise.gap_penalty,
            "corr_penalty": noise.corr_penalty,
        },
    }


def render_training_report(status: Mapping[str, Any], reason: str, best: EvalMetrics | None) -> str:
    """Write the report of a run from `PolicyManager.status()` and its best evaluation."""
    line = "━" * _WIDTH
    rows = [
        line,
        "  Training Complete",
        f"  Reason           : {reason}",
        line,
        *_score_rows(best),
        f"  Spawns used      : {_spawns(status)}",
        f"  Pruned agents    : {status['prune_count']}",
        f"  Ensemble size    : {status['ensemble_size']}",
        f"  Regime           : {status['regime'] or 'unknown'}",
        "  Agents           :",
        *(_member_row(member) for member in status["agents"]),
        *_lineage_rows(status["agents"]),
        line,
    ]
    return "\n".join(rows)


def _score_rows(best: EvalMetrics | None) -> list[str]:
    if best is None:
        return ["  Best score       : none"]
    rows = [f"  Best score       : {best.primary_score:.4f}"]
    val, gap = best.metrics.get("val_score"), best.generalization_gap
    if isinstance(val, int | float):
        rows.append(f"  Val score        : {val:.4f}")
    if gap is not None:
        rows.append(f"  Generalization   : {gap:.4f}  (train − val)")
    return rows


def _spawns(status: Mapping[str, Any]) -> str:
    limit = status["max_spawns"]
    return f"{status['spawn_count']} / {'unlimited' if limit is None else limit}"


def _member_row(member: Mapping[str, Any]) -> str:
    mean = member["mean_score"]
    score = "none" if mean is None else f"{mean:.4f}"
    return f"    [{member['index']}] weight={member['weight']:.4f}  mean_score={score}"


def _lineage_rows(members: list[Mapping[str, Any]]) -> list[str]:
    variants = [member for member in members if member["lineage"]["round"] > 0]
    rows = [_lineage_row(member["index"], member["lineage"]) for member in variants]
    return ["  Lineage          :", *rows] if rows else []


def _lineage_row(index: int, lineage: Mapping[str, Any]) -> str:
    changes = ", ".join(
        f"{name} {_short(old)} → {_short(new)}"
        for name, (old, new) in lineage["perturbation"].items()
    )
    noise = lineage["noise_scale"]
    strength = "" if noise is None else f"  noise={noise:.4f}"
    origin = "fresh weights" if lineage["parent"] is None else f"from {lineage['parent']}"
    return f"    [{index}] {origin}{strength}  {changes or 'unchanged'}"


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
