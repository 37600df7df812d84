"""Ranking and retention against the rule read aloud, one candidate at a time."""

import math
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optix_core import CheckpointRegistry, EvalMetrics
from optix_core._retention import Candidate, plan_retention, rank

from .registry_scene import OneWeightAgent, load_best, save

SCORES = st.one_of(st.integers(-3, 3).map(float), st.sampled_from([math.nan, math.inf, -math.inf]))


@st.composite
def listings(draw: st.DrawFn) -> list[Candidate]:
    rows = draw(st.lists(st.tuples(SCORES, st.integers(1, 3), st.booleans()), max_size=8))
    return [
        Candidate(
            snapshot_id=f"s{sequence}",
            sequence=sequence,
            run_id=run_id,
            score=score,
            is_choice=is_choice,
        )
        for sequence, (score, run_id, is_choice) in enumerate(rows)
    ]


def beats(one: Candidate, other: Candidate, listing: Sequence[Candidate]) -> bool:
    """Whether one ranks above the other, from the description alone."""

    def head_of(run_id: int) -> Candidate | None:
        choices = [
            c for c in listing if c.run_id == run_id and c.is_choice and math.isfinite(c.score)
        ]
        return choices[-1] if choices else None

    def worth(candidate: Candidate) -> float:
        head = head_of(candidate.run_id)
        return candidate.score if head is None else min(candidate.score, head.score)

    def is_overruled(candidate: Candidate) -> bool:
        return head_of(candidate.run_id) not in (None, candidate)

    if worth(one) != worth(other):
        return worth(one) > worth(other)
    if is_overruled(one) != is_overruled(other):
        return is_overruled(other)
    return one.sequence < other.sequence


@given(listings())
def test_rank_is_the_rule(listing: list[Candidate]) -> None:
    ranked = rank(listing)
    assert sorted(c.sequence for c in ranked) == [
        c.sequence for c in listing if math.isfinite(c.score)
    ]
    for place, one in enumerate(ranked):
        assert all(beats(one, other, listing) for other in ranked[place + 1 :])


@given(listings(), st.integers(1, 4), st.data())
def test_what_heads_the_list_and_its_run_is_kept(
    listing: list[Candidate], max_snapshots: int, data: st.DataObject
) -> None:
    if not listing:
        return
    newest = data.draw(st.sampled_from(listing))
    kept = plan_retention(listing, max_snapshots=max_snapshots, newest=newest, pinned=())
    ranked = rank(listing)
    assert {c.snapshot_id for c in ranked[:1]} <= kept
    assert {c.snapshot_id for c in [c for c in ranked if c.run_id == newest.run_id][:1]} <= kept
    assert len(kept) <= max(max_snapshots, 2)


@pytest.mark.parametrize("max_snapshots", [1, 10])
def test_the_choice_of_a_run_heads_it_and_is_not_pruned(tmp_path: Path, max_snapshots: int) -> None:
    registry = CheckpointRegistry(tmp_path, max_snapshots)
    registry.run_id = 1
    save(registry, 5.0)
    chosen = OneWeightAgent(3.0)
    registry.save(chosen, EvalMetrics(3.0), chosen.get_hyperparams(), is_choice=True)
    save(registry, 9.0)
    assert load_best(registry) == 3.0
    best = registry.best_of_run(1)
    assert best is not None
    assert best.eval_metrics.primary_score == 3.0
    registry.run_id = 2
    save(registry, 4.0)
    assert load_best(registry) == 4.0  # another run's score is not overruled
