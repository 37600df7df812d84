"""Runs as users have them, made and not yet begun, so that their parts can be watched."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium

from benchmarks.harness.bare_loop import ENVIRONMENT
from optix_cli.train_request import TrainRequest, prepare
from optix_core import BaseAgent, BasePipeline, RLOptimizer, SimplePipeline
from optix_pipelines import BatchPipeline, EpisodePipeline, make_vector
from tests.load_example import load_example


@dataclass(frozen=True, slots=True, kw_only=True)
class RealRun:
    """A run that is ready to begin."""

    agent: BaseAgent
    """Who learns."""
    environments: tuple[object, ...]
    """What it plays, in training and in validation."""
    pipelines: tuple[BasePipeline, ...]
    """What plays it."""
    optimizer: RLOptimizer
    """What runs it."""


def as_it_is(agent: BaseAgent) -> BaseAgent:
    """Return the agent."""
    return agent


def optix_train(
    directory: Path, seed: int, wrap: Callable[[BaseAgent], BaseAgent] = as_it_is
) -> RealRun:
    """Make the run of `optix train CartPole-v1 --seed SEED`: PPO in Keras, eight environments.

    Args:
        directory: where it goes.
        seed: of the run.
        wrap: puts something around the agent.
    """
    run = prepare(TrainRequest(env_id=ENVIRONMENT, seed=seed, run_dir=directory))
    settings = run.settings
    taken = inspect.signature(RLOptimizer).parameters
    loop = {name: value for name, value in settings.as_dict().items() if name in taken}
    training = make_vector(ENVIRONMENT, settings.n_envs)
    validation = make_vector(ENVIRONMENT, settings.validation_episodes)
    return _ready(
        wrap(run.agent),
        (training, validation),
        (
            BatchPipeline(training, window_size=settings.window_size),
            EpisodePipeline(validation, n_episodes=settings.validation_episodes),
        ),
        checkpoint_dir=run.run_dir,
        seed=run.seeds.seed,
        **loop,
    )


def numpy_ppo(directory: Path, seed: int, window_size: int) -> RealRun:
    """Make the run of `examples/numpy_ppo.py`: 30 windows of one environment, no TensorFlow."""
    example: Any = load_example("numpy_ppo")
    agent: BaseAgent = example.NumpyPPO(4, example.Categorical(2), seed=seed)
    training, validation = gymnasium.make(ENVIRONMENT), gymnasium.make(ENVIRONMENT)
    return _ready(
        agent,
        (training, validation),
        (
            SimplePipeline(training, window_size=window_size),
            SimplePipeline(validation, window_size=2048),
        ),
        checkpoint_dir=directory,
        max_episodes=30,
        seed=seed,
    )


def _ready(
    agent: BaseAgent,
    environments: tuple[object, object],
    pipelines: tuple[BasePipeline, BasePipeline],
    **settings: Any,
) -> RealRun:
    """Make a run of an agent in two pipelines, training and validation."""
    training, held_out = pipelines
    return RealRun(
        agent=agent,
        environments=environments,
        pipelines=pipelines,
        optimizer=RLOptimizer(agent, training, val_pipeline=held_out, **settings),
    )
