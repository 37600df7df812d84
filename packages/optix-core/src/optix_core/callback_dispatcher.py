"""Calls the hooks of callbacks, and keeps their exceptions from ending a run."""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MethodType
from typing import Any

from optix_core.abilities import GivesLearner, HasFiles, HasState, supports
from optix_core.base_agent import BaseAgent
from optix_core.decisions import CallbackDecision, NextRound, Stop
from optix_core.errors import ConfigurationError, ContractViolationError, OptixError
from optix_core.loop_callback import LoopCallback, LoopHandle

logger = logging.getLogger(__name__)

MAX_FAILURES_IN_A_ROW = 3
"""A callback that raised this often without a success in between is disabled."""


class CallbackDispatcher:
    """Calls each hook of each callback, in the order given.

    An exception is logged with its traceback and counted; three in a row disable the callback.
    Errors of Optix's own types end the run, and so do KeyboardInterrupt and SystemExit.

    Raises:
        ContractViolationError: if a callback is not a LoopCallback.
    """

    def __init__(self, callbacks: Sequence[LoopCallback]) -> None:
        """Take the callbacks of a run."""
        for callback in callbacks:
            if not isinstance(callback, LoopCallback):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise ContractViolationError(
                    f"a callback must derive from LoopCallback, got {type(callback).__name__}"
                )
        self._seats = [_Seat(callback) for callback in callbacks]

    @property
    def errors(self) -> dict[str, int]:
        """How often each callback raised, by its class name; only those that did."""
        errors: dict[str, int] = {}
        for seat in self._seats:
            if seat.failures:
                errors[seat.name] = errors.get(seat.name, 0) + seat.failures
        return errors

    def bind(self, loop: LoopHandle) -> None:
        """Hand every callback the loop."""
        for seat in self._seats:
            seat.call(seat.callback.bind, loop)

    def notify(self, hook: str, *arguments: Any) -> None:
        """Call a hook of every callback with positional arguments."""
        for seat in self._seats:
            seat.call(getattr(seat.callback, hook), *arguments)

    def ask_dormant(self, window_id: int) -> CallbackDecision | None:
        """Call `on_dormant` of every callback and choose among what they decided.

        The first `Stop` wins, then the first `NextRound`. What a callback returns that is no
        decision is its own affair.
        """
        answers = [seat.call(seat.callback.on_dormant, window_id) for seat in self._seats]
        stops = [answer for answer in answers if isinstance(answer, Stop)]
        offers = [answer for answer in answers if isinstance(answer, NextRound)]
        if len(offers) > 1:
            logger.warning("%d next rounds were offered; the first is taken", len(offers))
        return next(iter([*stops, *offers]), None)

    def state_dict(self) -> dict[str, Any]:
        """Return how often each callback raised, and its state where it has one."""
        return {"seats": [seat.state_dict() for seat in self._seats]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put back what `state_dict` returned.

        Raises:
            ConfigurationError: if these are not the callbacks of then.
        """
        was = [seat["callback"] for seat in state["seats"]]
        now = [seat.name for seat in self._seats]
        if was != now:
            raise ConfigurationError(
                f"the run had the callbacks {was}, now {now} are given; give the same in the same "
                "order to resume it"
            )
        for seat, of_seat in zip(self._seats, state["seats"], strict=True):
            seat.load_state_dict(of_seat)

    def save_files(self, folder: Path) -> None:
        """Let each callback that has files write them into a folder of its own."""
        for number, seat in enumerate(self._seats):
            if supports(seat.callback, HasFiles):
                (folder / str(number)).mkdir(parents=True)
                seat.callback.save_files(str(folder / str(number)))

    def load_files(self, folder: Path) -> None:
        """Let each callback read what it wrote."""
        for number, seat in enumerate(self._seats):
            if supports(seat.callback, HasFiles):
                seat.callback.load_files(str(folder / str(number)))

    def resumed_learner(self) -> BaseAgent | None:
        """Return the learner that a callback made anew; None where none did."""
        givers = [seat.callback for seat in self._seats if supports(seat.callback, GivesLearner)]
        learners: list[BaseAgent | None] = [giver.resumed_learner() for giver in givers]
        return next((learner for learner in learners if learner is not None), None)


# A hook that a callback does not have does not succeed either.
_NO_OPS = frozenset(filter(callable, vars(LoopCallback).values()))


class _Seat:
    def __init__(self, callback: LoopCallback) -> None:
        self.callback = callback
        self.name = type(callback).__name__
        self.failures = 0
        self._in_a_row = 0

    def state_dict(self) -> dict[str, Any]:
        state = self.callback.state_dict() if supports(self.callback, HasState) else None
        return {
            "callback": self.name,
            "failures": self.failures,
            "in_a_row": self._in_a_row,
            "state": state,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.failures, self._in_a_row = state["failures"], state["in_a_row"]
        if supports(self.callback, HasState):
            self.callback.load_state_dict(state["state"])

    def call(self, hook: Callable[..., Any], *arguments: Any) -> Any:
        if self._in_a_row >= MAX_FAILURES_IN_A_ROW:
            return None
        try:
            answer = hook(*arguments)
        except OptixError:
            raise
        except Exception:
            logger.exception("%s of callback %s raised; the run goes on", hook.__name__, self.name)
            self._count_failure()
            return None
        if not (isinstance(hook, MethodType) and hook.__func__ in _NO_OPS):
            self._in_a_row = 0
        return answer

    def _count_failure(self) -> None:
        self.failures += 1
        self._in_a_row += 1
        if self._in_a_row == MAX_FAILURES_IN_A_ROW:
            logger.warning(
                "callback %s raised %d times in a row and is disabled for the rest of this run",
                self.name,
                self._in_a_row,
            )
