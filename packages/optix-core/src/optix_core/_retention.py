"""Which snapshots to keep: arithmetic on scores and sequence numbers, nothing else."""

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What retention needs to know of a snapshot."""

    snapshot_id: str
    sequence: int
    run_id: int
    score: float
    is_choice: bool = False
    """Whether its run called it its best."""


def rank(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Order by score, best first; the earlier of two equals first. Non-finite scores are left out.

    A run that made a choice is headed by it, the last where it made several: its others count for
    no more than the choice's score. An empty input, or one of non-finite scores alone, gives an
    empty list: then there is no best.
    """
    finite = [candidate for candidate in candidates if math.isfinite(candidate.score)]
    chosen = sorted((c for c in finite if c.is_choice), key=lambda c: c.sequence)
    head_by_run = {candidate.run_id: candidate for candidate in chosen}

    def place(candidate: Candidate) -> tuple[float, bool, int]:
        head = head_by_run.get(candidate.run_id)
        score = candidate.score if head is None else min(candidate.score, head.score)
        return -score, head is not None and candidate is not head, candidate.sequence

    return sorted(finite, key=place)


def plan_retention(
    candidates: Collection[Candidate],
    *,
    max_snapshots: int,
    newest: Candidate,
    pinned: Collection[str],
) -> set[str]:
    """Choose what to keep of a directory's snapshots.

    In this order while they fit in `max_snapshots`: the best of all; the best of the run that
    saves; the one just saved; the bests of other runs, newest run first; the rest, newest first.
    The first two are kept even where they do not fit, and what is pinned comes on top
    where it is not kept anyway.

    Args:
        candidates: every readable snapshot, the newest included.
        max_snapshots: how many to keep, at least 1.
        newest: the one just saved.
        pinned: ids in use, of parents say.

    Returns:
        Ids to keep.
    """
    ranked = rank(candidates)
    best_by_run: dict[int, Candidate] = {}
    for candidate in ranked:
        best_by_run.setdefault(candidate.run_id, candidate)
    must = {best.snapshot_id for best in (*ranked[:1], *_of(best_by_run, newest.run_id))}
    runs = sorted(best_by_run, reverse=True)
    by_age = sorted(candidates, key=lambda candidate: -candidate.sequence)
    wishes = [newest, *(best_by_run[run] for run in runs), *by_age]
    keep = set(must)
    for candidate in wishes:
        if len(keep) >= max_snapshots:
            break
        keep.add(candidate.snapshot_id)
    return keep.union(pinned)


def _of(best_by_run: dict[int, Candidate], run_id: int) -> tuple[Candidate, ...]:
    return (best_by_run[run_id],) if run_id in best_by_run else ()
