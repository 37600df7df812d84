"""Runs of the loop on scripted windows, for the tests beside this file."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from optix_core import (
    BaseEvaluator,
    BasePipeline,
    EpisodeData,
    EvalMetrics,
    LoopCallback,
    LoopHandle,
    LoopState,
    PolicySnapshot,
    RLOptimizer,
    RunReport,
)
from optix_core.decisions import CallbackDecision
from optix_core.testing import FakeAgent, ScriptedPipeline


class LiteralEvaluator(BaseEvaluator):
    """The window's mean return as a score without evidence: literal rules, as a user's own."""

    def score(self, episode_data: EpisodeData, train_diagnostics: dict[str, Any]) -> EvalMetrics:
        return EvalMetrics(float(episode_data.rewards.mean()), {}, episode_data.episode_id)


class Spy(LoopCallback):
    """Notes every hook with its arguments, in order."""

    def __init__(self) -> None:
        self.heard: list[tuple[Any, ...]] = []
        self.loop: LoopHandle

    def bind(self, loop: LoopHandle) -> None:
        self.loop = loop

    def on_loop_start(self) -> None:
        self.heard.append(("on_loop_start",))

    def on_loop_stop(self) -> None:
        self.heard.append(("on_loop_stop",))

    def on_episode_end(self, window_id: int, metrics: EvalMetrics | None) -> None:
        self.heard.append(("on_episode_end", window_id, metrics))

    def on_improvement(self, snapshot: PolicySnapshot) -> None:
        self.heard.append(("on_improvement", snapshot))

    def on_plateau(self, window_id: int, state: LoopState) -> None:
        self.heard.append(("on_plateau", window_id, state))

    def on_dormant(self, window_id: int) -> CallbackDecision | None:
        self.heard.append(("on_dormant", window_id))

    def on_degradation(self, window_id: int, metrics: EvalMetrics | None) -> None:
        self.heard.append(("on_degradation", window_id, metrics))

    def on_hyperparam_update(self, old: dict[str, Any], new: dict[str, Any]) -> None:
        self.heard.append(("on_hyperparam_update", old, new))

    def named(self, hook: str) -> list[tuple[Any, ...]]:
        return [call[1:] for call in self.heard if call[0] == hook]


def run_script(
    directory: Path,
    scores: Any,
    *,
    agent: FakeAgent | None = None,
    callbacks: Sequence[LoopCallback] = (),
    pipeline: BasePipeline | None = None,
    **settings: Any,
) -> tuple[RunReport, FakeAgent, list[dict[str, Any]]]:
    """Run the loop over windows of these scores; a score may be a list of episode returns."""
    agent = FakeAgent() if agent is None else agent
    if pipeline is None:
        pipeline = ScriptedPipeline(_script(scores))
    settings = {"evaluator": LiteralEvaluator(), "seed": 0} | settings
    optimizer = RLOptimizer(
        agent, pipeline, checkpoint_dir=directory, callbacks=callbacks, **settings
    )
    return optimizer.run(), agent, read_journal(directory)


def read_journal(directory: Path, event: str | None = None) -> list[dict[str, Any]]:
    """The journal's events, as plain JSON."""
    lines = (directory / "events.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    return [e for e in events if event is None or e["event"] == event]


def _script(scores: Any) -> Any:
    if callable(scores):
        return scores
    return [score if isinstance(score, list) else [score] for score in scores]
