"""Who wins the play-off at the end, on how many episodes, and when there is none."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optix_core import CheckpointRegistry, EvalMetrics, HyperparamSet, LoopCallback, PolicySnapshot
from optix_core.final_choice import BUDGET, Contender, challengers, halve, pooled
from optix_core.mean_comparison import MeanEvidence
from optix_core.standing import Standing
from optix_core.testing import FakeAgent

from .held_out import HeldOutScript
from .loop_runs import Spy, run_script

SEEDS = list(range(1000, 1000 + BUDGET))


def snapshot(index: int, score: float = 0.0, se: float = 1.0, n: int = 20) -> PolicySnapshot:
    return PolicySnapshot(
        snapshot_id=f"snapshot-{index:06d}",
        sequence=index,
        run_id=1,
        eval_metrics=EvalMetrics(score, {"n_episodes": n, "score_se": se}),
        hyperparams=HyperparamSet({}),
        weights_path="",
        episode_id=index,
    )


def evidence_of(returns: Sequence[float]) -> MeanEvidence:
    n = len(returns)
    return MeanEvidence(float(np.mean(returns)), float(np.std(returns, ddof=1) / math.sqrt(n)), n)


def standing_of(returns: Sequence[float]) -> Standing:
    evidence = evidence_of(returns)
    metrics = {"n_episodes": evidence.n, "score_se": evidence.se}
    return Standing(EvalMetrics(evidence.mean, {**metrics}), tuple(returns))


class Table:
    """Plays by a table: the return of each contender on each seed."""

    def __init__(self, skills: Sequence[float], noise: float, *, mute: frozenset[int]) -> None:
        rng = np.random.default_rng(4)
        self.returns = np.array(skills)[:, np.newaxis] + noise * rng.normal(
            size=(len(skills), BUDGET)
        )
        self.mute = mute
        self.played: dict[int, list[int]] = {}

    def play(
        self, snapshots: Sequence[PolicySnapshot], seeds: Sequence[int]
    ) -> list[Standing | None]:
        return [self._play(snapshot, seeds) for snapshot in snapshots]

    def _play(self, snapshot: PolicySnapshot, seeds: Sequence[int]) -> Standing | None:
        self.played.setdefault(snapshot.sequence, []).extend(seeds)
        if snapshot.sequence in self.mute:
            return None
        return standing_of([float(self.returns[snapshot.sequence, s - 1000]) for s in seeds])


def slow_winner(table: Table, contenders: Sequence[int]) -> list[int]:
    """The rule read aloud: who is left after each rung, by the mean of all episodes so far."""
    rungs = math.ceil(math.log2(len(contenders)))
    left, first = list(contenders), 0
    while rungs and len(left) > 1:
        length = BUDGET // math.ceil(math.log2(len(contenders))) // len(left)
        first, last = first + length, first + length
        left = [each for each in left if each not in table.mute]
        means = {each: float(np.mean(table.returns[each, :last])) for each in left}
        left = sorted(left, key=lambda each: -means[each])[: math.ceil(len(left) / 2)]
        rungs -= 1
    return left


@given(
    skills=st.lists(st.integers(0, 3).map(float), min_size=1, max_size=8),
    noise=st.sampled_from([0.0, 1.0]),
    mute=st.frozensets(st.integers(0, 7), max_size=3),
)
def test_halving_is_the_rule(skills: list[float], noise: float, mute: frozenset[int]) -> None:
    table = Table(skills, noise, mute=mute)
    ranked = halve([snapshot(i) for i in range(len(skills))], table.play, SEEDS)
    if len(skills) == 1:
        assert ranked == []
        assert table.played == {}
        return
    left = slow_winner(table, range(len(skills)))
    assert [each.snapshot.sequence for each in ranked[: len(left)]] == left
    assert {each.snapshot.sequence for each in ranked} == set(range(len(skills))) - mute
    assert sum(map(len, table.played.values())) <= BUDGET
    for each in ranked:
        seeds = table.played[each.snapshot.sequence]
        assert seeds == SEEDS[: len(seeds)]  # all play the same, and none of them twice
        own = table.returns[each.snapshot.sequence, : len(seeds)]
        expected = evidence_of(own.tolist())
        assert each.evidence.n == expected.n
        assert each.evidence.mean == pytest.approx(expected.mean)
        assert each.evidence.se == pytest.approx(expected.se, abs=1e-9)


def test_equal_means_leave_the_best_where_it_is() -> None:
    table = Table([5.0] * 8, 0.0, mute=frozenset())
    ranked = halve([snapshot(i) for i in (3, 0, 1, 2, 4, 5, 6, 7)], table.play, SEEDS)
    assert ranked[0].snapshot.sequence == 3


def test_too_few_seeds_for_a_rung_choose_nobody() -> None:
    table = Table([1.0, 2.0], 0.0, mute=frozenset())
    assert halve([snapshot(0), snapshot(1)], table.play, SEEDS[:3]) == []


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20),
    st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20),
)
def test_pooled_is_the_evidence_of_all_returns(one: list[float], other: list[float]) -> None:
    both, expected = pooled(evidence_of(one), evidence_of(other)), evidence_of([*one, *other])
    assert both.n == expected.n
    assert both.mean == pytest.approx(expected.mean, rel=1e-9, abs=1e-6)
    assert both.se == pytest.approx(expected.se, rel=1e-6, abs=1e-6)


def test_challengers_are_those_not_proven_worse() -> None:
    best = snapshot(9, 10.0, 1.0)
    lucky, near, far = snapshot(1, 11.0, 1.0, 5), snapshot(2, 9.0, 1.0), snapshot(3, 2.0, 1.0)
    blind, nan = snapshot(4, 12.0, math.nan), snapshot(5, math.nan, 1.0)
    assert challengers(best, [best, lucky, near, far, blind, nan]) == [lucky, near]
    many = [snapshot(i, 10.0 + i / 100) for i in range(10, 30)]
    assert challengers(best, many) == many[:-8:-1]
    assert challengers(snapshot(9, 10.0, math.nan), many) == []


def test_what_a_winner_is_held_to_score_keeps_what_its_window_scored() -> None:
    won = snapshot(1, 7.0)
    won.eval_metrics.metrics |= {"val_score": 9.0, "window_score": 9.0}
    metrics = Contender(won, MeanEvidence(5.0, 0.5, 60)).standing().metrics
    assert (metrics.primary_score, metrics.score_se, metrics.n_episodes) == (5.0, 0.5, 60)
    assert (metrics.metrics["window_score"], metrics.metrics["val_score"]) == (9.0, 9.0)


# ── in a run ────────────────────────────────────────────────────────────────────────────────────


def noisy(mean: float) -> list[float]:
    return [mean - 2.0, mean + 2.0, mean - 2.0, mean + 2.0]


class Rising:
    """Each lesson adds a little, which the noise on the first seeds hides and a play-off sees."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)
        self.first: list[int] = []

    def __call__(self, agent: FakeAgent, seeds: Sequence[int]) -> list[float]:
        self.first = self.first or list(seeds)
        sd = 10.0 if list(seeds) == self.first else 0.1
        noise = self.rng.normal(size=len(seeds)) * sd
        return (agent.skill + noise - noise.mean()).tolist()


def run(directory: Path, *, max_episodes: int | None = 4, **settings: Any) -> Any:
    pipeline = HeldOutScript([noisy(score) for score in (0.0, 5.0, 6.0, 7.0)], Rising())
    report, agent, events = run_script(
        directory,
        [[0.0, 1.0]] * 4,
        val_pipeline=pipeline,
        evaluator=None,
        seed=1,
        max_episodes=max_episodes,
        **settings,
    )
    choice = [event for event in events if event["event"] == "final_choice"]
    return report, agent, choice, pipeline


def test_a_contender_that_plays_better_is_handed_back(tmp_path: Path) -> None:
    spy = Spy()
    report, agent, (choice,), pipeline = run(tmp_path, callbacks=[spy])
    assert agent.skill == 3.0
    assert report.contenders == 4
    assert report.best_window == 3
    assert report.best_score == pytest.approx(3.0, abs=0.1)
    best = CheckpointRegistry(tmp_path).best
    assert best is not None
    assert best.snapshot_id == report.best_snapshot_id
    assert spy.named("on_improvement")[-1][0].snapshot_id == report.best_snapshot_id
    assert choice["winner"] == choice["contenders"][0]["snapshot"]
    assert [each["fresh_episodes"] for each in choice["contenders"]] == [45, 45, 15, 15]
    confirmed = set(pipeline.played[0])
    played = {seed for seeds in pipeline.played if seeds != pipeline.played[0] for seed in seeds}
    assert played.isdisjoint(confirmed)
    assert report.validation_steps == 16 + sum(map(len, pipeline.played))


def test_a_contender_that_is_gone_is_passed_over(tmp_path: Path) -> None:
    class Damages(LoopCallback):
        def on_episode_end(self, window_id: int, metrics: EvalMetrics | None) -> None:
            if window_id == 3:
                for path in tmp_path.glob("snapshot-00000[23]/weights"):
                    path.write_bytes(b"damaged")

    report, agent, (choice,), _ = run(tmp_path, callbacks=[Damages()])
    assert report.contenders == 2
    assert agent.skill == 3.0
    assert len(choice["contenders"]) == 2


@pytest.mark.parametrize("settings", [{"confirm": False}, {"max_episodes": None}])
def test_no_play_off_where_the_score_decides_or_somebody_wants_the_end(
    tmp_path: Path, settings: dict[str, Any]
) -> None:
    report, _, choice, pipeline = run(tmp_path, **settings)
    assert choice == []
    assert report.contenders == 0
    assert all(seeds == pipeline.played[0] for seeds in pipeline.played)


def test_the_best_stays_where_nobody_challenges_it(tmp_path: Path) -> None:
    pipeline = HeldOutScript(
        [noisy(0.0), noisy(-9.0)], lambda agent, seeds: [float(seed % 3) for seed in seeds]
    )
    report, agent, _ = run_script(
        tmp_path,
        [[0.0, 1.0]] * 2,
        val_pipeline=pipeline,
        evaluator=None,
        max_episodes=2,
    )
    assert (report.best_window, report.contenders, len(pipeline.played)) == (0, 0, 1)
    assert agent.skill == 0.0
