"""Callbacks let policies play held-out episodes: on which seeds, at what cost, and when not."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from optix_core import BaseAgent, BaseEvaluator, EpisodeData, EvalMetrics
from optix_core.evaluators import ReturnEvaluator
from optix_core.examination import Exam, score_episodes
from optix_core.policy_comparison import PolicyComparison
from optix_core.testing import FakeAgent
from optix_core.window_judge import WindowJudge

from .held_out import HeldOutScript
from .loop_runs import Spy, read_journal, run_script

GUEST = FakeAgent()


class Compares(Spy):
    """Lets a guest and the learner play at the end of each window, and at the end of the run."""

    def __init__(self, n_episodes: int = 3) -> None:
        super().__init__()
        self.n_episodes = n_episodes
        self.earned: list[tuple[float, ...]] = []

    def on_episode_end(self, window_id: int, metrics: EvalMetrics | None) -> None:
        self.compare()

    def on_loop_stop(self) -> None:
        self.compare()

    def compare(self) -> None:
        for agent in (GUEST, self.loop.learner):
            self.earned.append(self.loop.play_fresh(agent, self.n_episodes))


def by_who_plays(agent: FakeAgent, seeds: Sequence[int]) -> list[float]:
    return [float(agent is GUEST) + seed for seed in seeds]


def run(directory: Path, **settings: Any) -> tuple[Any, Compares, HeldOutScript]:
    pipeline, compares = HeldOutScript([[0.0, 1.0]] * 2, by_who_plays), Compares()
    settings = {"val_pipeline": pipeline, "evaluator": None, "seed": 1} | settings
    report, _, _ = run_script(
        directory, [[0.0, 1.0]] * 2, callbacks=[compares], max_episodes=2, **settings
    )
    return report, compares, pipeline


def test_every_policy_plays_the_same_episodes_which_serve_nothing_else(tmp_path: Path) -> None:
    report, compares, pipeline = run(tmp_path)
    learner_s = compares.earned[1]
    assert compares.earned == [tuple(seed + 1.0 for seed in learner_s), learner_s] * 3
    own = [int(seed) for seed in learner_s]
    assert [seeds for seeds in pipeline.played if seeds == own] == [own] * 6
    others = {seed for seeds in pipeline.played if seeds != own for seed in seeds}
    assert others
    assert others.isdisjoint(own)
    assert report.validation_steps == 2 * 2 + sum(map(len, pipeline.played))


def test_who_learns_stays_seated_and_the_run_is_as_without(tmp_path: Path) -> None:
    report, _, pipeline = run(tmp_path / "with")
    plain, _, _ = run_script(
        tmp_path / "without",
        [[0.0, 1.0]] * 2,
        val_pipeline=HeldOutScript([[0.0, 1.0]] * 2, by_who_plays),
        evaluator=None,
        seed=1,
        max_episodes=2,
    )
    assert pipeline.windows.agents[-1] is not GUEST
    assert (report.best_score, report.best_window) == (plain.best_score, plain.best_window)
    windows = [read_journal(tmp_path / name, "window") for name in ("with", "without")]
    assert [[e["score"] for e in each] for each in windows] == [[0.5, 0.5]] * 2


def test_the_run_itself_plays_whoever_examines_otherwise() -> None:
    pipeline = HeldOutScript([[0.0]], by_who_plays)

    def here(policies: Iterable[BaseAgent], seeds: Sequence[int]) -> list[Exam]:
        return [score_episodes(ReturnEvaluator(), pipeline.play_episodes(seeds)) for _ in policies]

    def elsewhere(policies: Iterable[BaseAgent], seeds: Sequence[int]) -> list[Exam]:
        raise AssertionError("a factory cannot build a guest")

    judge = WindowJudge(ReturnEvaluator(), pipeline, 5, examine_seated=here, examine=elsewhere)
    comparison = PolicyComparison(judge, seed=3, confirm=True)
    earned = comparison.returns_of(GUEST, 4, seated=FakeAgent())
    (seeds,) = pipeline.played
    assert earned == tuple(seed + 1.0 for seed in seeds)
    assert judge.validation_steps == 4


class Literal(BaseEvaluator):
    """A user's own: no evidence."""

    def score(self, episode_data: EpisodeData, train_diagnostics: dict[str, Any]) -> EvalMetrics:
        return EvalMetrics(float(episode_data.episode_returns.mean()), {}, episode_data.episode_id)

    def combine(self, train: EvalMetrics, val: EvalMetrics) -> EvalMetrics:
        return EvalMetrics(val.primary_score, {}, train.episode_id)


@pytest.mark.parametrize(
    "how", [{"confirm": False}, {"val_pipeline": None}, {"evaluator": Literal()}]
)
def test_nothing_is_told_where_there_is_no_evidence(tmp_path: Path, how: dict[str, Any]) -> None:
    _, compares, _ = run(tmp_path, **how)
    assert compares.earned == [()] * 6


def test_an_interruption_at_the_end_still_closes_the_run(tmp_path: Path) -> None:
    class Interrupted(Spy):
        def on_loop_stop(self) -> None:
            raise KeyboardInterrupt

    pipeline = HeldOutScript([[0.0, 1.0]], by_who_plays)
    with pytest.raises(KeyboardInterrupt):
        run_script(tmp_path, [[0.0, 1.0]], callbacks=[Interrupted()], val_pipeline=pipeline)
    assert pipeline.windows.calls["teardown"] == 1
    assert [event["stop_reason"] for event in read_journal(tmp_path, "run_stopped")] == ["stopped"]
