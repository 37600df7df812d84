"""A loop that tells of what a test says, for the callback that follows it."""

from typing import Any

from optix_cli.progress import Progress
from optix_core.base_agent import BaseAgent
from optix_core.checkpoint_registry import CheckpointRegistry
from optix_core.eval_metrics import EvalMetrics
from optix_core.hyperparam_set import HyperparamSet
from optix_core.loop_state import LoopState
from optix_core.policy_snapshot import PolicySnapshot


class FakeLoop:
    """Only its state and history matter here."""

    def __init__(self) -> None:
        self.state = LoopState.ACTIVE
        self.history: list[EvalMetrics] = []
        self.steps = 0

    @property
    def learner(self) -> BaseAgent:
        raise AssertionError("nothing here asks for the learner")

    @property
    def registry(self) -> CheckpointRegistry:
        raise AssertionError("nothing here asks for the registry")

    @property
    def best_snapshot(self) -> PolicySnapshot | None:
        return None

    def stop(self, reason: str = "") -> None:
        raise AssertionError("nothing here stops the loop")

    def continue_with(self, agent: BaseAgent) -> None:
        raise AssertionError("nothing here continues the loop")

    def record(self, event: str, **fields: Any) -> None:
        raise AssertionError("nothing here records")


class RecordingView:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.shown: list[Progress] = []
        self.evaluations: list[Progress] = []

    def start(self, progress: Progress) -> None:
        self.told.append("start")

    def show(self, progress: Progress) -> None:
        self.told.append("show")
        self.shown.append(progress)

    def evaluated(self, progress: Progress) -> None:
        self.told.append("evaluated")
        self.evaluations.append(progress)

    def stop(self) -> None:
        self.told.append("stop")


def scored(score: float, standard_error: float = 0.0) -> EvalMetrics:
    """Return an evaluation with evidence."""
    return EvalMetrics(score, {"n_episodes": 20, "score_se": standard_error})


def snapshot_of(metrics: EvalMetrics) -> PolicySnapshot:
    """Return the snapshot that an improvement would come with."""
    return PolicySnapshot(
        snapshot_id="s",
        sequence=1,
        run_id=1,
        eval_metrics=metrics,
        hyperparams=HyperparamSet(),
        weights_path="",
        episode_id=0,
    )
