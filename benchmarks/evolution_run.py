"""One run of the evolution study: trains within a budget of environment steps, tests what is left.

Every step counts, of training and of validation alike; the test does not, since it decides nothing.
"""

import copy
import math
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from io import StringIO
from typing import Any, final

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from examples.numpy_ppo import Categorical, NumpyPPO, SquashedGaussian
from optix_core import (
    BaseAgent,
    CheckpointRegistry,
    EvalMetrics,
    LoopCallback,
    LoopHandle,
    NextRound,
    RLOptimizer,
    RunReport,
    SeedPlan,
)
from optix_core.environment_pipeline import draw_seeds
from optix_evolve import EnsembleAgent, PolicyManager, choose_members
from optix_pipelines import BatchPipeline, EpisodePipeline, make_vector

N_ENVS, WINDOW_SIZE = 8, 128
VALIDATION_EPISODES, TEST_EPISODES = 5, 50
SELECTION_EPISODES = (10, 30, 100)
"""Episodes that each set of members plays when who acts is chosen; a run plays 30."""
TEST_SEEDS_FROM = 1_000_000
MAX_MEMBERS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """An environment and how many steps a run may take in it."""

    name: str
    env_id: str
    budget: int
    """Steps of training and validation."""
    low: float
    """Return that counts as 0: a policy that knows nothing."""
    high: float
    """Return that counts as 1."""
    level: float
    """Return at which an agent counts as halfway there."""

    def normalised(self, score: float) -> float:
        """A return on the scale from `low` to `high`."""
        return (score - self.low) / (self.high - self.low)


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """How the budget is spent."""

    name: str
    spawns: bool = False
    """Whether variants are trained when a round has converged, till the budget is spent."""
    parts: int = 1
    """Runs from scratch that share the budget, each with as much of it."""
    stops_at_level: bool = False
    """Whether a run ends as soon as a validation scores the task's `level`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What a budget brought."""

    report: RunReport
    best: NumpyPPO
    members: list[BaseAgent]
    weights: list[float]


@final
class Budget(LoopCallback):
    """Ends the run when its steps are spent; before that, one that has converged goes on."""

    def __init__(self, steps: int, *, goes_on: bool, level: float) -> None:
        self._budget = steps
        self._goes_on = goes_on
        self._level = level

    def bind(self, loop: LoopHandle) -> None:
        self._loop = loop

    def on_episode_end(self, window_id: int, metrics: EvalMetrics | None) -> None:
        if self._loop.steps + self._loop.validation_steps >= self._budget:
            self._loop.stop("the budget of steps is spent")
        elif metrics is not None and metrics.primary_score >= self._level:
            self._loop.stop("the level is reached")

    def on_dormant(self, window_id: int) -> NextRound | None:
        return NextRound(self._loop.learner) if self._goes_on else None


class Mixture(NumpyPPO):
    """Acts by the maximum of its members' mean probabilities, the rule that a vote is held to."""

    members: Sequence[NumpyPPO]
    weights: Sequence[float]

    def act(self, observation: Any) -> Any:
        return self.act_greedy(observation)

    def act_greedy(self, observation: Any) -> Any:
        return self.act_greedy_batch(np.asarray(observation)[np.newaxis])[0]

    def act_greedy_batch(self, observations: NDArray[Any]) -> Any:
        offered = [member.action_distribution(observations) for member in self.members]
        return np.average(offered, axis=0, weights=self.weights).argmax(axis=-1)

    @classmethod
    def of(cls, members: Sequence[BaseAgent], weights: Sequence[float]) -> "Mixture":
        """Return what acts for these members."""
        mixture: Any = copy.copy(members[0])
        mixture.__class__ = cls
        mixture.members, mixture.weights = members, weights
        return mixture


def run_one(task: Task, condition: Condition, seed: int) -> dict[str, Any]:
    """Train and test; returns what the journal keeps, in JSON types."""
    began = time.process_time()
    agents = _agents(task.env_id, SeedPlan(seed))
    share = replace(task, budget=task.budget // condition.parts)
    parts = [_train(share, condition, seed, agents) for _ in range(condition.parts)]
    chosen = max(parts, key=lambda part: part.report.best_score or -np.inf)
    members = [member for part in parts for member in part.members]
    weights = [weight for part in parts for weight in part.weights]
    best = _test(task, chosen.best, seed)
    is_one = len(members) == 1  # then it is the best policy, and so is the ensemble
    ensemble = best if is_one else _test(task, _ensemble_of(task, members, weights), seed)
    counts = () if is_one else SELECTION_EPISODES
    has_choices = _has_choices(task.env_id) and not is_one
    return {
        "task": task.name,
        "condition": condition.name,
        "seed": seed,
        "steps": sum(part.report.steps for part in parts),
        "validation_steps": sum(part.report.validation_steps for part in parts),
        "rounds": sum(part.report.rounds for part in parts),
        "claimed": chosen.report.best_score,
        "best": best,
        "members": [best] if is_one else [_test(task, member, seed) for member in members],
        "weights": weights,
        "ensemble": ensemble,
        "selected": {str(count): _selected(task, members, seed, count) for count in counts},
        "mixture": _test(task, Mixture.of(members, weights), seed) if has_choices else ensemble,
        "cpu_s": round(time.process_time() - began, 2),
    }


def _train(task: Task, condition: Condition, seed: int, agents: Iterator[NumpyPPO]) -> Trained:
    agent = next(agents)
    with tempfile.TemporaryDirectory() as directory:
        manager = PolicyManager(CheckpointRegistry(directory), max_ensemble_size=MAX_MEMBERS)
        evolution = manager.as_callback(
            agent,
            agent_factory=(lambda: next(agents)) if condition.spawns else None,
            signals="sound",
            stream=StringIO(),
        )
        level = task.level if condition.stops_at_level else math.inf
        report = RLOptimizer(
            agent,
            BatchPipeline(make_vector(task.env_id, N_ENVS), window_size=WINDOW_SIZE),
            val_pipeline=_episodes(task.env_id, VALIDATION_EPISODES),
            confirm=not condition.stops_at_level,  # which no fresh episodes are played for
            checkpoint_dir=directory,
            backoff_factor=1.0,  # every window is evaluated, whatever the condition
            callbacks=[Budget(task.budget, goes_on=not condition.spawns, level=level), evolution],
            seed=seed,
        ).run()
        return Trained(
            report=report,
            best=agent,
            members=manager.agents,
            weights=[member["weight"] for member in manager.status()["agents"]],
        )


def _ensemble_of(
    task: Task, members: Sequence[BaseAgent], weights: Sequence[float]
) -> EnsembleAgent:
    manager = _manager_of(members, weights)
    return EnsembleAgent(manager, members[0], _spaces(task.env_id)[1], seed=0)


def _manager_of(members: Sequence[BaseAgent], weights: Sequence[float]) -> PolicyManager:
    manager = PolicyManager(CheckpointRegistry(tempfile.gettempdir()))
    for member, weight in zip(members, weights, strict=True):
        manager.add_agent(member, weight)
    return manager


def _selected(
    task: Task, members: Sequence[BaseAgent], seed: int, n_episodes: int
) -> dict[str, Any]:
    """Choose who acts on so many episodes a set, as `PolicyManager.select_members`; test them."""
    manager = _manager_of(members, [1.0] * len(members))
    pipeline = _episodes(task.env_id, n_episodes)
    seeds = draw_seeds(SeedPlan(seed).integer("comparison"), n_episodes)
    steps = 0

    def play(agent: BaseAgent, _: int) -> Sequence[float]:
        nonlocal steps
        pipeline.set_agent(agent)
        window = pipeline.play_episodes(seeds)
        steps += window.length
        return window.returns_by_environment.tolist()

    space = _spaces(task.env_id)[1]
    selection = choose_members(manager.ensemble, play, action_space=space, n_episodes=n_episodes)
    pipeline.teardown()
    if selection is None:
        raise RuntimeError(f"no episodes of {task.env_id} could be played")
    return {
        "score": _test(task, EnsembleAgent(manager, members[0], space, seed=0), seed),
        "members": list(selection.members),
        "best": max(selection.trials[: len(members)], key=lambda trial: trial.mean).members[0],
        "episodes": selection.n_episodes,
        "steps": steps,
    }


def _test(task: Task, agent: BaseAgent, seed: int) -> float:
    """Mean return of fresh greedy episodes, the same for everything that one seed trained."""
    pipeline = _episodes(task.env_id, TEST_EPISODES)
    pipeline.set_agent(agent)
    pipeline.validate_on(TEST_SEEDS_FROM + seed)
    window = next(iter(pipeline.episodes()))
    pipeline.teardown()
    return float(window.episode_returns.mean())


def _agents(env_id: str, plan: SeedPlan) -> Iterator[NumpyPPO]:
    """A fresh agent after another, the first the same in every condition."""
    observations, actions = _spaces(env_id)
    is_box, box = isinstance(actions, spaces.Box), actions
    head = SquashedGaussian(box.low, box.high) if is_box else Categorical(box.n)
    for seed in plan.integers("agent", 1000):
        yield NumpyPPO(observations.shape[0], head, seed=seed)


def _has_choices(env_id: str) -> bool:
    return isinstance(_spaces(env_id)[1], spaces.Discrete)


def _spaces(env_id: str) -> tuple[Any, Any]:
    envs: Any = make_vector(env_id, 1)
    envs.close()
    return envs.single_observation_space, envs.single_action_space


def _episodes(env_id: str, n_episodes: int) -> EpisodePipeline:
    return EpisodePipeline(make_vector(env_id, n_episodes), n_episodes=n_episodes)
