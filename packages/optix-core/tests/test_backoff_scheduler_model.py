"""The scheduler against a slow model that works everything out from the list of evaluations."""

import math
from dataclasses import dataclass, field

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from optix_core.backoff_scheduler import (
    Evaluation,
    SchedulerState,
    decide,
    enter_watchdog,
    put_off,
    start_round,
)
from optix_core.decisions import (
    Decision,
    Degrade,
    EnterCooling,
    EnterDormant,
    Improve,
    Reactivate,
)
from optix_core.loop_state import LoopState
from optix_core.scheduler_settings import SchedulerSettings


@dataclass
class Model:
    """A round as the bare list of what happened; every question reads it from the start."""

    settings: SchedulerSettings
    begin: int
    scores: list[float] = field(default_factory=list[float])
    windows: list[int] = field(default_factory=list[int])
    better: list[bool] = field(default_factory=list[bool])
    proofs: list[bool] = field(default_factory=list[bool])
    """Whether a plateau was proven at each evaluation."""
    watches: list[int] = field(default_factory=list[int])
    """How many evaluations there had been at each entry into WATCHDOG."""
    extra_proof: bool = False
    """Whether a plateau was proven at an evaluation that was not due."""
    delays: int = 0
    """Windows by which the evaluation that is due was put off."""

    def improvements(self) -> list[int]:
        finite = [i for i, score in enumerate(self.scores) if math.isfinite(score)]
        return finite[:1] + [i for i in finite[1:] if self.better[i]]

    def best_before(self, index: int) -> float | None:
        earlier = [i for i in self.improvements() if i < index]
        return self.scores[earlier[-1]] if earlier else None

    def is_low(self, index: int) -> bool:
        best = self.best_before(index)
        if best is None or index in self.improvements() or not math.isfinite(self.scores[index]):
            return False
        allowed = (1.0 - self.settings.degradation_threshold) * abs(best)
        return self.scores[index] < best - allowed

    def row(self, index: int) -> list[int]:
        """Return the degraded evaluations in a row that end at this one, the oldest first."""
        row: list[int] = []
        while index >= 0 and (self.is_low(index) or not math.isfinite(self.scores[index])):
            if self.is_low(index):
                row.insert(0, index)
            index -= 1
        return row

    def fires(self, index: int) -> bool:
        if not self.is_low(index):
            return False
        length, patience = len(self.row(index)), self.settings.degradation_patience
        if self.settings.rollback_on_degradation:
            return length % patience == 0
        return length >= patience

    def is_first_fire(self, index: int) -> bool:
        return self.fires(index) and not any(self.fires(i) for i in self.row(index)[:-1])

    def is_watching(self, index: int) -> bool:
        """Whether evaluation number `index` is, or would be, made in WATCHDOG."""
        entered = [entry for entry in self.watches if entry <= index]
        return bool(entered) and not any(self.fires(i) for i in range(entered[-1], index))

    def is_proven(self, index: int) -> bool:
        return index >= 0 and self.proofs[index] and not self.is_watching(index)

    def wakes(self) -> list[int]:
        return [i for i in range(len(self.scores)) if self.is_watching(i) and self.fires(i)]

    def count(self, n_evaluations: int) -> int:
        resets = [i for i in self.improvements() + self.wakes() if i < n_evaluations]
        return n_evaluations - 1 - max(resets, default=-1)

    def state(self) -> LoopState:
        n_evaluations = len(self.scores)
        if self.is_watching(n_evaluations):
            return LoopState.WATCHDOG
        count = self.count(n_evaluations)
        is_over = self.extra_proof or self.is_proven(n_evaluations - 1)
        if count >= self.settings.dormant_threshold or is_over:
            return LoopState.DORMANT
        is_cool = count >= self.settings.plateau_threshold
        return LoopState.COOLING if is_cool else LoopState.ACTIVE

    def interval(self) -> float:
        if self.is_watching(len(self.scores)):
            return float(self.settings.max_interval_episodes)
        interval = float(self.settings.base_interval)
        for count in range(1, self.count(len(self.scores)) + 1):
            if count >= self.settings.plateau_threshold:
                interval *= self.settings.backoff_factor
                interval = min(interval, self.settings.max_interval_episodes)
        return interval

    def next_window(self) -> int:
        if not self.windows:
            return self.begin + self.delays
        rounded = max(1, math.floor(self.interval() + 0.5))
        return self.windows[-1] + rounded + self.delays

    def names(self) -> list[str]:
        """Return what the last evaluation decides, in words."""
        index = len(self.scores) - 1
        if index in self.improvements():
            name = "first" if index == self.improvements()[0] else "better"
            return [name, "sleep"] if self.is_proven(index) else [name]
        if self.is_watching(index):
            return ["fall", "wake"] if self.fires(index) else []
        restores = self.settings.rollback_on_degradation
        is_told = self.fires(index) and (restores or self.is_first_fire(index))
        names = ["fall"] if is_told else []
        count = self.count(index + 1)
        names += ["cool"] if count == self.settings.plateau_threshold else []
        is_over = count == self.settings.dormant_threshold or self.is_proven(index)
        names += ["sleep"] if is_over else []
        return names


def in_words(decision: Decision) -> str:
    match decision:
        case Improve():
            return "first" if decision.is_first else "better"
        case Degrade():
            return "fall"
        case EnterCooling():
            return "cool"
        case EnterDormant():
            return "sleep"
        case Reactivate():
            return "wake"


@st.composite
def all_settings(draw: st.DrawFn) -> SchedulerSettings:
    base, plateau = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    return SchedulerSettings(
        base_interval=base,
        backoff_factor=draw(st.floats(1.0, 5.0)),
        max_interval_episodes=base + draw(st.integers(0, 30)),
        plateau_threshold=plateau,
        dormant_threshold=plateau + draw(st.integers(0, 4)),
        degradation_threshold=draw(st.sampled_from([0.0, 0.5, 0.95, 1.0])),
        degradation_patience=draw(st.integers(1, 3)),
        rollback_on_degradation=draw(st.booleans()),
        watchdog=True,
    )


scores = st.sampled_from([-100.0, -96.0, -1.0, 0.0, 1.0, 50.0, 94.0, 100.0]) | st.floats()


class SchedulerAgainstModel(RuleBasedStateMachine):
    """Plays any evaluations, delays, watchdogs and rounds to both, and compares all they say."""

    state: SchedulerState
    model: Model

    @initialize(settings=all_settings())
    def begin(self, settings: SchedulerSettings) -> None:
        self.settings = settings
        self.new_round(0)

    def new_round(self, window_id: int) -> None:
        self.state = start_round(self.settings, window_id)
        self.model = Model(self.settings, window_id)

    @precondition(lambda self: self.state.state is not LoopState.DORMANT)
    @rule(score=scores, is_better=st.booleans(), chance=st.integers(0, 9))
    def evaluate(self, score: float, *, is_better: bool, chance: int) -> None:
        window_id, is_plateau = self.state.next_window, chance == 0
        evaluation = Evaluation(
            window_id=window_id, score=score, is_better=is_better, is_plateau=is_plateau
        )
        had_excursion = self.state.in_excursion
        self.state, decisions = decide(self.settings, self.state, evaluation)
        self.note(evaluation)
        assert [in_words(decision) for decision in decisions] == self.model.names()
        for decision in decisions:
            if isinstance(decision, Degrade):
                assert decision.is_new is (not had_excursion)
                assert decision.is_new is self.model.is_first_fire(len(self.model.scores) - 1)
                assert decision.restore_best is self.settings.rollback_on_degradation

    def note(self, evaluation: Evaluation) -> None:
        self.model.scores.append(evaluation.score)
        self.model.windows.append(evaluation.window_id)
        self.model.better.append(evaluation.is_better)
        self.model.proofs.append(evaluation.is_plateau)
        self.model.delays = 0

    @precondition(
        lambda self: (
            self.state.state in (LoopState.ACTIVE, LoopState.COOLING)
            and self.model.windows
            and self.state.next_window > self.model.windows[-1] + 1
        )
    )
    @rule(score=scores, is_better=st.booleans(), chance=st.integers(0, 9), data=st.data())
    def look(self, score: float, *, is_better: bool, chance: int, data: st.DataObject) -> None:
        """An evaluation between two that are due: only what is better counts, or a proof."""
        window_id = data.draw(
            st.integers(self.model.windows[-1] + 1, self.state.next_window - 1), "window"
        )
        evaluation = Evaluation(
            window_id=window_id,
            score=score,
            is_better=is_better,
            is_plateau=chance == 0,
            is_due=False,
        )
        before = self.state
        self.state, decisions = decide(self.settings, before, evaluation)
        if math.isfinite(score) and (is_better or before.best_score is None):
            self.note(evaluation)
            assert [in_words(decision) for decision in decisions] == self.model.names()
        else:
            self.model.extra_proof = evaluation.is_plateau
            words = ["sleep"] if evaluation.is_plateau else []
            assert [in_words(decision) for decision in decisions] == words

    @precondition(lambda self: self.state.state is not LoopState.DORMANT)
    @rule()
    def put_off(self) -> None:
        self.state = put_off(self.state)
        self.model.delays += 1

    @precondition(lambda self: self.state.state is LoopState.DORMANT and not self.model.extra_proof)
    @rule()
    def watch(self) -> None:
        self.state = enter_watchdog(self.settings, self.state, self.model.windows[-1])
        self.model.watches.append(len(self.model.scores))

    @precondition(lambda self: self.state.state is LoopState.DORMANT)
    @rule()
    def spawn(self) -> None:
        self.new_round(self.model.windows[-1] + 1)

    @rule()
    def restart(self) -> None:
        self.state = SchedulerState.from_dict(self.state.to_dict())

    @invariant()
    def both_agree(self) -> None:
        model = self.model
        assert self.state.state is model.state()
        assert self.state.n_without_improvement == model.count(len(model.scores))
        assert self.state.interval == model.interval()
        assert self.state.next_window == model.next_window()
        assert self.state.best_score == model.best_before(len(model.scores))


TestSchedulerAgainstModel = SchedulerAgainstModel.TestCase
