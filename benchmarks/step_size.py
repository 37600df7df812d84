"""CPU time inside the step size controller, as a share of whole runs of `optix train CartPole-v1`.

One run for each source of the estimate: `kl` from `learn` as PPO has it; the same agent without
that diagnostic, by its action distribution; without that too, by `act_batch`; and by `act` alone.
The controller asks as often as it does in any run: ever more rarely while all is well. The goal is
about the run as it is; without the first call of each function of the agent, in which it compiles,
the whole is smaller, and the share larger.

Run: `uv run --group bench python -m benchmarks.step_size [--seeds 3]`
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness import Goal, one_thread, write_table
from benchmarks.harness.stopwatch import Stopwatch
from benchmarks.real_runs import as_it_is, optix_train
from optix_core import BaseAgent, EpisodeData, HyperparamSet, step_size_controller
from optix_core.policy_probe import open_probe
from optix_core.step_size_controller import StepSizeController
from optix_tf import PPOAgent

GOAL = Goal(0.02, at_most=True)


class ActingOnly(BaseAgent):
    """The six methods of an agent, its declaration, its state and how it validates: no `kl`."""

    def __init__(self, agent: BaseAgent) -> None:
        assert isinstance(agent, PPOAgent)
        self._agent = agent

    def act(self, observation: Any) -> Any:
        return self._agent.act(observation)

    def act_greedy(self, observation: Any) -> Any:
        return self._agent.act_greedy(observation)

    def act_greedy_batch(self, observations: NDArray[Any]) -> Any:
        return self._agent.act_greedy_batch(observations)

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

    def act_batch(self, observations: NDArray[Any]) -> Any:
        return self._agent.act_batch(observations)


class Telling(ActingInBatches):
    """And `action_distribution`."""

    def action_distribution(self, observations: NDArray[Any]) -> Any:
        return self._agent.action_distribution(observations)


SOURCES: dict[str, Callable[[BaseAgent], BaseAgent]] = {
    "`kl` from `learn`": as_it_is,
    "`action_distribution`": Telling,
    "`act_batch`": ActingInBatches,
    "`act` alone": ActingOnly,
}


OF_AGENT = ("act", "act_batch", "act_greedy_batch", "action_distribution", "learn")


@dataclass(frozen=True, slots=True, kw_only=True)
class Steered:
    """One run, steered."""

    cpu_s: float
    """Of the whole run."""
    first_calls_s: float
    """Inside the first calls of the agent's functions, the controller's own aside."""
    inside_s: float
    """Inside the controller."""
    windows: int
    """Lessons."""
    probes: int
    """Lessons at which the policy was asked."""


def measure(wrap: Callable[[BaseAgent], BaseAgent], seed: int) -> Steered:
    """Make one run."""
    inside, compiling, probing = Stopwatch(), Stopwatch(), Stopwatch()
    controller = StepSizeController
    with tempfile.TemporaryDirectory() as directory:
        run = optix_train(Path(directory), seed, wrap)
        compiling.wrap(run.agent, OF_AGENT)
        with (
            mock.patch.object(controller, "before_learn", inside.timed(controller.before_learn)),
            mock.patch.object(controller, "after_learn", inside.timed(controller.after_learn)),
            mock.patch.object(step_size_controller, "open_probe", probing.timed(open_probe)),
        ):
            begin = time.process_time()
            report = run.optimizer.run()
            cpu_s = time.process_time() - begin
    return Steered(
        cpu_s=cpu_s,
        first_calls_s=compiling.first_calls_s,
        inside_s=inside.whole_s,
        windows=report.windows,
        probes=probing.calls,
    )


def main() -> None:
    """Measure source by source, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    n_seeds = parser.parse_args().seeds
    one_thread()
    rows = [
        _row(source, [measure(wrap, seed) for seed in range(n_seeds)])
        for source, wrap in SOURCES.items()
    ]
    write_table(
        [
            "the change is measured by",
            "lessons",
            "asked at",
            "CPU ms in the controller",
            "CPU s of the run",
            "share of the run",
            "without compiling",
            "goal",
        ],
        rows,
    )


def _row(source: str, samples: list[Steered]) -> list[str]:
    share = float(np.median([each.inside_s / each.cpu_s for each in samples]))
    warm = [each.inside_s / (each.cpu_s - each.first_calls_s) for each in samples]
    return [
        source,
        ", ".join(str(each.windows) for each in samples),
        ", ".join(str(each.probes) for each in samples),
        f"{1e3 * np.median([each.inside_s for each in samples]):.1f}",
        f"{np.median([each.cpu_s for each in samples]):.2f}",
        f"{share:.4f}",
        f"{np.median(warm):.4f}",
        GOAL.verdict(share),
    ]


if __name__ == "__main__":
    main()
