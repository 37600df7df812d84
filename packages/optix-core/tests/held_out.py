"""A validation pipeline by script that can also play fresh episodes."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from optix_core import (
    BaseAgent,
    BaseEvaluator,
    BasePipeline,
    EpisodeData,
    InlineExecutor,
    ReturnEvaluator,
    Workbench,
)
from optix_core.branch_stage import BranchStage
from optix_core.branch_store import BranchStore
from optix_core.inline_executor import SeatedPolicies
from optix_core.steering_seat import SteeringSeat
from optix_core.testing import FakeAgent, ScriptedPipeline
from optix_core.unit_examiner import UnitExaminer
from optix_core.window_judge import WindowJudge


class HeldOutScript(BasePipeline):
    """Windows as `ScriptedPipeline`; fresh episodes by a function of agent and seeds."""

    def __init__(
        self,
        script: Iterable[Sequence[float]] | Callable[[BaseAgent, int], Sequence[float] | None],
        fresh: Callable[[Any, Sequence[int]], Sequence[float]],
    ) -> None:
        self.windows = ScriptedPipeline(script)
        self.fresh = fresh
        self.played: list[list[int]] = []

    def setup(self) -> None:
        self.windows.setup()

    def teardown(self) -> None:
        self.windows.teardown()

    def set_agent(self, agent: BaseAgent) -> None:
        self.windows.set_agent(agent)

    def episodes(self) -> Iterator[EpisodeData]:
        return self.windows.episodes()

    def play_episodes(self, seeds: Sequence[int]) -> EpisodeData:
        self.played.append(list(seeds))
        returns = self.fresh(self.windows.agents[-1], seeds)
        return next(ScriptedPipeline([returns], self.windows.agents[-1]).episodes())


def judge_over(
    val_pipeline: BasePipeline | None, evaluator: BaseEvaluator | None = None
) -> WindowJudge:
    """A judge whose fresh episodes are played by whoever is seated, as in a run by itself."""
    evaluator = evaluator or ReturnEvaluator()
    bench = Workbench(
        agent=FakeAgent(),
        stage=BranchStage(
            val_pipeline or ScriptedPipeline([]),
            val_pipeline,
            play=lambda: None,
            validation_seed=0,
        ),
        evaluator=evaluator,
        store=BranchStore(Path("never made"), SteeringSeat(None)),
    )
    examiner = UnitExaminer(InlineExecutor(bench), SeatedPolicies())
    return WindowJudge(evaluator, val_pipeline, 5, examine_seated=examiner.examine)
