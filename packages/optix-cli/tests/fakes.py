"""A loop that tells of what a test says, for the callback that follows it."""

from typing import cast

from optix_cli.progress import Progress
from optix_core.eval_metrics import EvalMetrics
from optix_core.hyperparam_set import HyperparamSet
from optix_core.loop_callback import LoopHandle
from optix_core.loop_state import LoopState
from optix_core.policy_snapshot import PolicySnapshot


class FakeLoop:
    """The part of a loop that the callback reads."""

    def __init__(self) -> None:
        self.state = LoopState.ACTIVE
        self.history: list[EvalMetrics] = []
        self.steps = 0
        self.round_best_snapshot: PolicySnapshot | None = None

    @property
    def handle(self) -> LoopHandle:
        """This loop, passed off as a whole one."""
        return cast("LoopHandle", self)


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
