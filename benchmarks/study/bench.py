"""What a run of the study is played on: counted training environments, uncounted true scores."""

from collections.abc import Callable, Iterable
from typing import Any, Generic, Protocol, TypeVar

import gymnasium
import numpy as np

from benchmarks.study.tasks import Task

CURVE_SEEDS = range(1_000_000, 1_000_010)
"""Greedy episodes behind every point of a curve."""
FINAL_SEEDS = range(1_001_000, 1_001_050)
"""Greedy episodes behind a final score."""


class GreedyAgent(Protocol):
    """What the true score asks of an agent."""

    def act_greedy(self, observation: Any) -> Any:
        """Return the action held best."""
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
        self._env = gymnasium.make(task.env_id)

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

    def true_score(self, agent: GreedyAgent, seeds: Iterable[int]) -> float:
        """Mean return of greedy episodes, one a seed, that nobody is charged for."""
        return float(np.mean([self._return_of(agent, seed) for seed in seeds]))

    def _return_of(self, agent: GreedyAgent, seed: int) -> float:
        observation, _ = self._env.reset(seed=seed)
        total, is_over = 0.0, False
        while not is_over:
            action = agent.act_greedy(observation)
            observation, reward, terminated, truncated, _ = self._env.step(action)
            total += float(reward)
            is_over = terminated or truncated
        return total
