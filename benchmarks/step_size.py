"""CPU time inside the step size controller, as a share of a Keras PPO run on CartPole-v1.

One run for each source of the estimate: `kl` from `learn` as PPO has it; the same agent without
that diagnostic, by its action distribution; without that too, by `act_batch`; and by `act` alone.
Compilation counts on neither side: the first windows are not measured.

Run: `uv run --group bench python -m benchmarks.step_size [--windows 60]`
"""

import argparse
import time
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness import Goal, one_thread, write_table
from optix_cli.environments import look_up_environment, training_pipeline
from optix_core import BaseAgent, EpisodeData, HyperparamSet
from optix_core.step_size_controller import StepSizeController
from optix_tf import PPOAgent

GOAL = Goal(0.02, at_most=True)
WARM_UP = 5
N_ENVS, WINDOW_SIZE = 8, 256


class ActingOnly(BaseAgent):
    """The six methods of an agent, its declaration and its state: no `kl`, nothing else."""

    def __init__(self, agent: PPOAgent) -> None:
        self._agent = agent

    def act(self, observation: Any) -> Any:
        return self._agent.act(observation)

    def learn(self, episode_data: EpisodeData) -> dict[str, Any]:
        diagnostics = self._agent.learn(episode_data)
        return {name: value for name, value in diagnostics.items() if name != "kl"}

    def get_hyperparams(self) -> HyperparamSet:
        return self._agent.get_hyperparams()

    def set_hyperparams(self, hp: HyperparamSet) -> None:
        self._agent.set_hyperparams(hp)

    def save_weights(self, path: str) -> None:
        self._agent.save_weights(path)

    def load_weights(self, path: str) -> None:
        self._agent.load_weights(path)

    def hyperparam_space(self) -> Mapping[str, Any]:
        return self._agent.hyperparam_space()

    def state_dict(self) -> dict[str, Any]:
        return self._agent.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._agent.load_state_dict(state)


class ActingInBatches(ActingOnly):
    """And `act_batch`."""

    def act(self, observation: Any) -> Any:
        return self._agent.act(observation)

    def act_batch(self, observations: NDArray[Any]) -> Any:
        return self._agent.act_batch(observations)


class Telling(ActingInBatches):
    """And `action_distribution`."""

    def act(self, observation: Any) -> Any:
        return self._agent.act(observation)

    def act_batch(self, observations: NDArray[Any]) -> Any:
        return self._agent.act_batch(observations)

    def action_distribution(self, observations: NDArray[Any]) -> Any:
        return self._agent.action_distribution(observations)


SOURCES: dict[str, Callable[[PPOAgent], BaseAgent]] = {
    "`kl` from `learn`": lambda agent: agent,
    "`action_distribution`": Telling,
    "`act_batch`": ActingInBatches,
    "`act` alone": ActingOnly,
}


class Stopwatch:
    """CPU time inside the functions that it wraps."""

    def __init__(self) -> None:
        self.cpu_s = 0.0

    def timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function, which adds its CPU time here."""

        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            begin = time.process_time()
            try:
                return function(*args, **kwargs)
            finally:
                self.cpu_s += time.process_time() - begin

        return call


def measure(wrap: Callable[[PPOAgent], BaseAgent], n_windows: int) -> tuple[float, float]:
    """Collect and learn so many windows; return CPU seconds inside the controller, and in all."""
    environment = look_up_environment("CartPole-v1")
    agent = wrap(
        PPOAgent.for_spaces(environment.observation_space, environment.action_space, seed=0)
    )
    pipeline = training_pipeline("CartPole-v1", n_envs=N_ENVS, window_size=WINDOW_SIZE)
    pipeline.set_agent(agent)
    pipeline.seed(0)
    pipeline.setup()
    controller, watch = StepSizeController(np.random.default_rng(0)), Stopwatch()
    windows, begin = iter(pipeline.episodes()), 0.0
    before_learn = watch.timed(controller.before_learn)
    after_learn = watch.timed(controller.after_learn)
    for index in range(WARM_UP + n_windows):
        if index == WARM_UP:
            watch.cpu_s, begin = 0.0, time.process_time()
        window = next(windows)
        before_learn(agent, window)
        after_learn(window, agent.learn(window))
    total = time.process_time() - begin
    pipeline.teardown()
    return watch.cpu_s, total


def main() -> None:
    """Measure source by source, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--windows", type=int, default=60)
    n_windows = parser.parse_args().windows
    one_thread()
    rows: list[list[str]] = []
    for source, wrap in SOURCES.items():
        inside, total = measure(wrap, n_windows)
        share = inside / total
        per_window = 1e6 * inside / n_windows
        rows.append([source, f"{per_window:.0f}", f"{share:.4f}", GOAL.verdict(share)])
    write_table(
        [
            "the change is measured by",
            "CPU μs per window",
            "share of collecting and learning",
            "goal",
        ],
        rows,
    )


if __name__ == "__main__":
    main()
