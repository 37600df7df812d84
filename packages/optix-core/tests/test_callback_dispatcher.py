"""Callbacks: their exceptions are counted and never end a run; typed errors do."""

import logging
from typing import Any, Never

import pytest

from optix_core.callback_dispatcher import CallbackDispatcher
from optix_core.decisions import CallbackDecision, NextRound, Stop
from optix_core.errors import ConfigurationError, ContractViolationError
from optix_core.loop_callback import LoopCallback
from optix_core.testing import FakeAgent


class Failing(LoopCallback):
    def __init__(self, failures: set[int]) -> None:
        self.failures = failures
        self.calls = 0

    def on_loop_start(self) -> None:
        self.calls += 1
        if self.calls in self.failures:
            raise ValueError("user code")


def test_three_failures_in_a_row_disable_a_callback(caplog: pytest.LogCaptureFixture) -> None:
    callback, other = Failing({1, 2, 3}), Failing(set())
    dispatcher = CallbackDispatcher([callback, other])
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            dispatcher.notify("on_loop_start")
    assert (callback.calls, other.calls) == (3, 5)
    assert dispatcher.errors == {"Failing": 3}
    assert "user code" in caplog.text
    assert "disabled" in caplog.text


def test_a_success_in_between_keeps_a_callback() -> None:
    callback = Failing({1, 2, 4, 5, 7, 8})
    dispatcher = CallbackDispatcher([callback])
    for _ in range(9):
        dispatcher.notify("on_loop_start")
    assert callback.calls == 9
    assert dispatcher.errors == {"Failing": 6}


def test_a_hook_that_a_callback_does_not_have_is_no_success() -> None:
    callback = Failing({1, 2, 3})
    dispatcher = CallbackDispatcher([callback])
    for _ in range(5):
        dispatcher.notify("on_loop_start")
        dispatcher.notify("on_loop_stop")
    assert callback.calls == 3


@pytest.mark.parametrize("error", [ConfigurationError("ours"), KeyboardInterrupt()])
def test_typed_errors_and_interrupts_pass(error: BaseException) -> None:
    class Raises(LoopCallback):
        def on_loop_stop(self) -> Never:
            raise error

    with pytest.raises(type(error)):
        CallbackDispatcher([Raises()]).notify("on_loop_stop")


def test_a_stop_wins_over_a_next_round(fake_agent: FakeAgent) -> None:
    class Says(LoopCallback):
        def __init__(self, answer: Any) -> None:
            self.answer = answer

        def on_dormant(self, window_id: int) -> CallbackDecision | None:
            return self.answer

    answers = [None, Stop(), "stop", NextRound(fake_agent)]
    dispatcher = CallbackDispatcher([Says(answer) for answer in answers])
    assert dispatcher.ask_dormant(7) is answers[1]
    without_stop = CallbackDispatcher([Says(None), Says(answers[3])])
    assert without_stop.ask_dormant(7) is answers[3]
    assert CallbackDispatcher([]).ask_dormant(7) is None


def test_what_is_no_callback_is_refused() -> None:
    bad: Any = {}
    with pytest.raises(ContractViolationError, match="LoopCallback, got dict"):
        CallbackDispatcher([bad])
