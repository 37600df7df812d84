"""What a run of the study is played on: counted training environments, uncounted true scores."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar

import gymnasium
import numpy as np
from numpy.typing import NDArray

from benchmarks.study.tasks import Task

CURVE_SEEDS = range(1_000_000, 1_000_010)
"""Greedy episodes behind every point of a curve."""
FINAL_SEEDS = range(1_001_000, 1_001_050)
"""Greedy episodes behind a final score."""


class GreedyAgent(Protocol):
    """What the true score asks of an agent."""

    def act_greedy_batch(self, observations: NDArray[Any]) -> Any:
        """Return the actions held best, [B, ...]."""
        ...


A = TypeVar("A", bound=GreedyAgent)


class StepCounter:
    """Environment steps charged to a run."""

    def __init__(self) -> None:
        self.steps = 0


class CountedEnv(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Charges every step to a counter."""

    def __init__(self, env: gymnasium.Env[Any, Any], counter: StepCounter) -> None:
        super().__init__(env)
        self._counter = counter

    def step(self, action: Any) -> Any:
        self._counter.steps += 1
        return self.env.step(action)


class Bench(Generic[A]):
    """One run's environments, its charge, and the curve of the policy that it would hand back."""

    def __init__(self, task: Task, spare: A) -> None:
        """Measure on this task; the spare agent holds the policies that are measured."""
        self.task = task
        self.counter = StepCounter()
        self.curve: list[tuple[int, float]] = []
        self.window_scores: list[tuple[int, float]] = []
        self._spare = spare
        self._envs: list[gymnasium.Env[Any, Any]] = []

    @property
    def is_spent(self) -> bool:
        """Whether the budget is used up."""
        return self.counter.steps >= self.task.n_steps

    def training_env(self) -> CountedEnv:
        """Return a fresh environment whose steps are charged."""
        return CountedEnv(gymnasium.make(self.task.env_id), self.counter)

    def new_incumbent(self, load: Callable[[A], object]) -> None:
        """Write down what the policy that would be handed back from here on is truly worth.

        Args:
            load: puts that policy into the agent that it is given.
        """
        load(self._spare)
        self.curve.append((self.counter.steps, self.true_score(self._spare, CURVE_SEEDS)))

    def true_score(self, agent: GreedyAgent, seeds: Sequence[int]) -> float:
        """Mean return of greedy episodes, one a seed, that nobody is charged for.

        They are played side by side, so that the agent answers for all of them at once.
        """
        while len(self._envs) < len(seeds):
            self._envs.append(gymnasium.make(self.task.env_id, disable_env_checker=True))
        playing = [
            (env, env.reset(seed=seed)[0]) for env, seed in zip(self._envs, seeds, strict=False)
        ]
        total = 0.0
        while playing:
            actions = agent.act_greedy_batch(np.stack([seen for _, seen in playing]))
            still: list[tuple[gymnasium.Env[Any, Any], Any]] = []
            for (env, _), action in zip(playing, actions, strict=True):
                seen, reward, terminated, truncated, _ = env.step(action)
                total += float(reward)
                if not (terminated or truncated):
                    still.append((env, seen))
            playing = still
        return total / len(seeds)
