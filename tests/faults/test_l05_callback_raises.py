"""L05: a callback raises in any of its hooks; the loop goes on, and tells of it."""

import logging
from pathlib import Path
from typing import Any

import pytest

from optix_core import LoopCallback

from .runs import optimizer

HOOKS = [
    "on_loop_start", "on_loop_stop", "on_episode_end", "on_improvement", "on_plateau", "on_dormant",
    "on_degradation", "on_hyperparam_update",
]  # fmt: skip
SCORES = [1.0, 2.0, *[0.01] * 2000]
"""Long enough for every state; the run ends by itself before."""


class Reached(LoopCallback):
    """Counts the calls of each hook, and raises in one of them."""

    def __init__(self, hook: str, error: BaseException) -> None:
        self.n_calls = 0

        def fail(*arguments: Any) -> None:
            self.n_calls += 1
            raise error

        setattr(self, hook, fail)


@pytest.mark.parametrize("hook", [hook for hook in HOOKS if hook != "on_hyperparam_update"])
def test_a_hook_that_raises_does_not_stop_the_loop(
    tmp_path: Path, hook: str, caplog: pytest.LogCaptureFixture
) -> None:
    callback = Reached(hook, ValueError("theirs"))
    with caplog.at_level(logging.WARNING):
        report = optimizer(tmp_path, SCORES, [callback]).run()
    assert report.best_score == 2.0
    assert report.windows > 3
    assert 1 <= callback.n_calls <= 3
    assert report.callback_errors == {"Reached": callback.n_calls}
    assert "ValueError: theirs" in caplog.text
    assert ("disabled" in caplog.text) == (callback.n_calls == 3)


@pytest.mark.parametrize("hook", ["on_loop_start", "on_episode_end", "on_improvement"])
def test_an_interrupt_passes(tmp_path: Path, hook: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        optimizer(tmp_path, SCORES, [Reached(hook, KeyboardInterrupt())]).run()
