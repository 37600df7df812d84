"""V01: a worker of a vector environment dies, or hangs: a typed error in time, and none is left."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AsyncVectorEnv
from gymnasium.wrappers.vector import RecordEpisodeStatistics

from optix_core import RLOptimizer
from optix_core.errors import ConfigurationError, PipelineError, StreamTimeoutError
from optix_core.testing import FakeAgent
from optix_pipelines import BatchPipeline, EpisodePipeline

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")

TIMEOUT_S = 1.0
SLEEP_S = 600.0


class Troubled(gymnasium.Env[Any, Any]):
    """Ten steps an episode; at a given step, or reset, it does something else."""

    observation_space = spaces.Box(0.0, 10.0, (1,), np.float64)
    action_space = spaces.Discrete(2)

    def __init__(self, at_step: int = -1, trouble: Callable[[], None] | None = None) -> None:
        self.at_step = at_step
        self.trouble = trouble
        self.n_steps = 0

    def reset(self, **_: Any) -> tuple[Any, dict[str, Any]]:
        self.n_steps = 0
        self.come_to_it()
        return np.zeros(1), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.n_steps += 1
        self.come_to_it()
        return np.full(1, float(self.n_steps)), 1.0, False, self.n_steps == 10, {}

    def come_to_it(self) -> None:
        if self.n_steps == self.at_step and self.trouble is not None:
            self.trouble()


def hang() -> None:
    time.sleep(SLEEP_S)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fail() -> None:
    raise OSError("the simulator's licence has run out")


def make(at_step: int, trouble: Callable[[], None]) -> AsyncVectorEnv:
    sound: Callable[[], Any] = Troubled
    return AsyncVectorEnv([sound, lambda: Troubled(at_step, trouble), sound])


def is_running(pid: int) -> bool:
    """Whether a process is there, a zombie included: nobody has reaped it."""
    return Path(f"/proc/{pid}").exists()


@pytest.fixture(name="pids")
def _pids() -> Iterator[list[int]]:
    """Those of all workers; none may be left when the test is over."""
    pids: list[int] = []
    yield pids
    assert pids
    assert not [pid for pid in pids if is_running(pid)]


def pids_of(env: AsyncVectorEnv) -> list[int]:
    return [process.pid for process in env.processes if process.pid is not None]


@pytest.mark.parametrize("at_step", [0, 4], ids=["in reset", "in step"])
def test_a_worker_that_dies_is_named(pids: list[int], at_step: int) -> None:
    env = make(at_step, die)
    pids += pids_of(env)
    pipeline = BatchPipeline(env, FakeAgent(), window_size=8, worker_timeout_s=60.0)
    with pytest.raises(PipelineError, match=r"worker 1 \(exit code -9\) of AsyncVectorEnv died"):
        next(pipeline.episodes())
    assert not [pid for pid in pids if is_running(pid)]
    pipeline.teardown()


@pytest.mark.parametrize("at_step", [0, 4], ids=["in reset", "in step"])
def test_a_worker_that_hangs_is_given_up_in_time(pids: list[int], at_step: int) -> None:
    env = make(at_step, hang)
    pids += pids_of(env)
    pipeline = BatchPipeline(env, FakeAgent(), window_size=8, worker_timeout_s=TIMEOUT_S)
    began = time.monotonic()
    with pytest.raises(StreamTimeoutError, match="within 1 s"):
        next(pipeline.episodes())
    assert time.monotonic() - began < SLEEP_S / 10
    assert not [pid for pid in pids if is_running(pid)]
    pipeline.teardown()


def test_a_wrapper_hides_no_worker(pids: list[int]) -> None:
    env = make(4, hang)
    pids += pids_of(env)
    pipeline = BatchPipeline(
        RecordEpisodeStatistics(env), FakeAgent(), window_size=8, worker_timeout_s=TIMEOUT_S
    )
    with pytest.raises(StreamTimeoutError):
        next(pipeline.episodes())
    pipeline.teardown()


def test_a_worker_killed_from_outside_ends_the_run(pids: list[int], tmp_path: Path) -> None:
    env = make(-1, die)
    pids += pids_of(env)

    class Killing(FakeAgent):
        def learn(self, episode_data: Any) -> dict[str, Any]:
            os.kill(pids[2], signal.SIGKILL)
            return {}

    training = BatchPipeline(env, window_size=8, worker_timeout_s=60.0)
    with pytest.raises(PipelineError, match="worker 2"):
        RLOptimizer(Killing(), training, checkpoint_dir=tmp_path).run()
    assert '"stop_reason":"failed"' in (tmp_path / "events.jsonl").read_text("utf-8").replace(
        " ", ""
    )


def test_validation_is_watched_too(pids: list[int]) -> None:
    env = make(4, hang)
    pids += pids_of(env)
    pipeline = EpisodePipeline(env, FakeAgent(), n_episodes=3, worker_timeout_s=TIMEOUT_S)
    with pytest.raises(StreamTimeoutError):
        next(pipeline.episodes())
    pipeline.teardown()


@pytest.mark.filterwarnings("ignore:.*ERROR:UserWarning")  # Gymnasium tells of it so
def test_what_the_environment_raises_leaves_as_it_was_raised(pids: list[int]) -> None:
    env = make(4, fail)
    pids += pids_of(env)
    pipeline = BatchPipeline(env, FakeAgent(), window_size=8, worker_timeout_s=60.0)
    with pytest.raises(OSError, match="licence") as raised:
        next(pipeline.episodes())
    assert not isinstance(raised.value, PipelineError)
    pipeline.teardown()


def test_healthy_workers_are_left_alone(pids: list[int]) -> None:
    env = make(-1, die)
    pids += pids_of(env)
    pipeline = BatchPipeline(env, FakeAgent(), window_size=30, worker_timeout_s=TIMEOUT_S)
    window = next(pipeline.episodes())
    assert window.episode_returns.tolist() == [10.0] * 6
    pipeline.teardown()


def test_a_time_out_is_above_zero() -> None:
    env = gymnasium.make_vec("CartPole-v1", 2, vectorization_mode="sync")
    with pytest.raises(ConfigurationError, match="worker_timeout_s"):
        BatchPipeline(env, worker_timeout_s=0.0)
    env.close()
