"""L05: a callback raises, in whatever hook; the run goes on without it in the end."""

from pathlib import Path
from typing import Any

import pytest

from optix_core import LoopCallback

from .loop_scene import Misbehaving, run_in

HOOKS = (
    "bind", "on_loop_start", "on_loop_stop", "on_episode_end", "on_improvement", "on_plateau",
    "on_dormant",
)  # fmt: skip


def raising(hook: str, error: BaseException) -> tuple[LoopCallback, list[int]]:
    calls: list[int] = []

    def fail(*_: Any) -> None:
        calls.append(1)
        raise error

    fail.__name__ = hook
    callback = LoopCallback()
    setattr(callback, hook, fail)
    return callback, calls


@pytest.mark.parametrize("hook", HOOKS)
def test_the_run_goes_on(tmp_path: Path, hook: str, caplog: pytest.LogCaptureFixture) -> None:
    callback, calls = raising(hook, ValueError("from the callback"))
    settings = {"plateau_threshold": 1, "dormant_threshold": 3, "max_episodes": 50}
    report = run_in(tmp_path, Misbehaving(), callbacks=[callback], **settings)
    assert 1 <= len(calls) <= 4
    assert report.callback_errors == {"LoopCallback": len(calls)}
    records = [record for record in caplog.records if record.exc_info]
    assert len(records) == len(calls)


def test_three_in_a_row_disable_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    callback, calls = raising("on_episode_end", ValueError("from the callback"))
    run_in(tmp_path, Misbehaving(), callbacks=[callback])
    # One, a success of `on_improvement`, then three in a row.
    assert len(calls) == 4
    assert "is disabled for the rest of this run" in caplog.text


@pytest.mark.parametrize("hook", HOOKS)
def test_an_interrupt_always_passes(tmp_path: Path, hook: str) -> None:
    callback, _ = raising(hook, KeyboardInterrupt())
    settings = {"plateau_threshold": 1, "dormant_threshold": 3, "max_episodes": 50}
    with pytest.raises(KeyboardInterrupt):
        run_in(tmp_path, Misbehaving(), callbacks=[callback], **settings)
