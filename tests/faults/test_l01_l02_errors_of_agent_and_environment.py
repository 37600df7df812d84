"""L01, L02: `learn` or `step` raises; the error stays visible, and nothing is lost."""

from pathlib import Path

import pytest

from optix_core import CheckpointRegistry

from .loop_scene import Misbehaving, Watched, events_in, optimizer_of, run_in


@pytest.mark.parametrize("call", [2, 4])
def test_learn_raises(tmp_path: Path, call: int) -> None:
    error, env = ArithmeticError("from learn"), Misbehaving()
    agent = Watched(raise_at={"learn": call}, error=error)
    with pytest.raises(ArithmeticError) as caught:
        run_in(tmp_path, env, agent=agent)
    assert caught.value is error
    check_what_is_left(tmp_path, env, error, window=call - 1, steps=10 * call)


@pytest.mark.parametrize("step", [12, 27])
def test_step_raises(tmp_path: Path, step: int) -> None:
    error = ConnectionError("from step")
    env = Misbehaving(errors={step: error})
    with pytest.raises(ConnectionError) as caught:
        run_in(tmp_path, env)
    assert caught.value is error
    check_what_is_left(tmp_path, env, error, window=step // 10, steps=step // 10 * 10)


def check_what_is_left(
    directory: Path, env: Misbehaving, error: Exception, *, window: int, steps: int
) -> None:
    assert f"in window {window}, after step {steps}" in " ".join(error.__notes__)
    assert env.n_closes == 1
    (stopped,) = events_in(directory, "run_stopped")
    assert stopped["stop_reason"] == "failed"
    assert stopped["error"].startswith(type(error).__name__)
    assert (stopped["windows"], stopped["steps"]) == (window, steps)
    best = Watched()
    assert CheckpointRegistry(directory).load_best(best) is not None
    assert optimizer_of(directory, Misbehaving(), resume=True).run().windows == 6
