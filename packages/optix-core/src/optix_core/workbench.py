"""Where work units are done: with an agent, pipelines, an evaluator and the branch store."""

from dataclasses import dataclass, field, replace
from typing import final

from optix_core.base_agent import BaseAgent
from optix_core.base_evaluator import BaseEvaluator
from optix_core.branch_stage import BranchStage
from optix_core.branch_store import BranchStore
from optix_core.episode_data import EpisodeData
from optix_core.examination import Examination, Sample
from optix_core.finite_guard import FiniteGuard, OnNonFinite
from optix_core.hyperparam_set import HyperparamSet
from optix_core.read_back import put_into_force
from optix_core.tuning_seat import read_hyperparams
from optix_core.work_unit import UnitResult, WorkUnit, untrained


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Workbench:
    """What units are done with: parts of a run, or parts made as the run's were made.

    `RLOptimizer.workbench` makes one for a process of its own. What `do` comes to is a function of
    the unit alone where the agent has `HasState` (or nothing beside its weights that matters), the
    training pipeline begins anew on a seed, and the evaluator remembers nothing.
    """

    agent: BaseAgent
    """Lends itself to each unit; seated in the pipelines."""
    stage: BranchStage
    """The pipelines."""
    evaluator: BaseEvaluator
    """Makes the scores."""
    store: BranchStore
    """Where parents are found and children are kept."""
    on_nonfinite: OnNonFinite = "skip"
    """What becomes of a window that is not finite: "raise" ends the unit, else it is passed over;
    the third in a row ends the unit in any case."""

    def do(self, unit: WorkUnit) -> UnitResult:
        """Do a unit. The agent is left as whatever came of it.

        Raises:
            CheckpointNotFoundError: if the parent is not in the store.
            CheckpointCorruptError: if it is damaged.
            ContractViolationError: if the agent does not give back hyperparameters that it got.
            Exception: what agent, environment or evaluator raised, as it was raised.
        """
        self.store.load(unit.parent, self.agent)
        # After the weights, whose snapshot brings the hyperparameters of the parent.
        put_into_force(self.agent, HyperparamSet(dict(unit.hyperparams)), "a work unit")
        if not unit.n_windows:
            return self.examine(unit)
        stretch = self._train(unit)
        hyperparams = read_hyperparams(self.agent).params
        # Before the examination, which may move what acting moves.
        child = self.store.save(self.agent)
        exam = (
            self._examination.of(unit)
            if unit.n_episodes or stretch.last is None
            else self._examination.of_training(stretch.last, stretch.sample)
        )
        return UnitResult(
            child=child,
            hyperparams=hyperparams,
            metrics=exam.metrics,
            windows=unit.n_windows,
            steps=sum(part.steps for part in stretch.sample),
            exam_steps=exam.steps,
            returns=exam.returns,
            skipped=stretch.n_skipped,
        )

    def examine(self, unit: WorkUnit) -> UnitResult:
        """Examine whoever is seated, for a unit that trains nothing.

        Raises:
            Exception: what agent, environment or evaluator raised, as it was raised.
        """
        exam = self._examination.of(unit)
        result = untrained(unit, exam.metrics)
        return replace(result, exam_steps=exam.steps, returns=exam.returns)

    @property
    def _examination(self) -> Examination:
        stage = self.stage
        return Examination(evaluator=self.evaluator, play=stage.examine, play_on=stage.examine_on)

    def _train(self, unit: WorkUnit) -> "_Stretch":
        """Learn from the unit's windows, which are numbered from 0."""
        self.stage.begin(unit.seed)
        # What was concluded of another policy says nothing of the one that begins here.
        self.store.steering.on_restart()
        guard, stretch = FiniteGuard(self.on_nonfinite), _Stretch()
        for index in range(unit.n_windows):
            window = replace(self.stage.next_window(), episode_id=index)
            stretch.last = window
            stretch.sample.append(Sample.of(window))
            if guard.passes(window):
                self._learn(window)
        stretch.n_skipped = guard.n_skipped
        return stretch

    def _learn(self, window: EpisodeData) -> None:
        agent, steering = self.agent, self.store.steering
        steering.before_learn(agent, window)
        steering.oversee(agent, window, lambda: agent.learn(window))


@dataclass(slots=True)
class _Stretch:
    """What is kept of a unit's training."""

    last: EpisodeData | None = None
    sample: list[Sample] = field(default_factory=list[Sample])
    n_skipped: int = 0
