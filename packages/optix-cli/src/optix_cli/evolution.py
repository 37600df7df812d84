"""What `optix train --spawns` adds to a run: a manager of policies, and variants of the agent."""

from collections.abc import Iterator
from typing import TextIO

import numpy as np

from optix_cli.tensorflow_environment import quiet_tensorflow
from optix_cli.train_request import PreparedRun
from optix_core.base_agent import BaseAgent
from optix_core.checkpoint_registry import CheckpointRegistry
from optix_core.seeds import SeedPlan
from optix_evolve import PolicyManager, PolicyManagerCallback


def make_manager(run: PreparedRun) -> PolicyManager:
    """Return the manager of a run's ensemble, with the budget that was typed."""
    return PolicyManager(
        CheckpointRegistry(run.run_dir, run.settings.max_snapshots),
        max_spawns=run.request.spawns,
        max_ensemble_size=run.request.ensemble,
    )


def evolution_callback(
    run: PreparedRun, manager: PolicyManager, stream: TextIO | None = None
) -> PolicyManagerCallback:
    """Return the callback that evolves a run's ensemble by signals that rest on evidence.

    Args:
        run: what trains.
        manager: its manager.
        stream: where the manager's report goes; default the standard output.
    """
    seeds = variant_seeds(run.seeds)

    def make_variant() -> BaseAgent:
        with quiet_tensorflow():
            return run.make_agent(next(seeds))

    return manager.as_callback(
        run.agent,
        agent_factory=make_variant,
        meta_controller=None,
        signals="sound",
        stream=stream,
        action_space=run.environment.action_space,
    )


def variant_seeds(plan: SeedPlan) -> Iterator[int]:
    """Yield a seed for each variant: children of the run's evolution stream, below 2**63.

    Children, since the stream itself is where perturbations are drawn from.
    """
    stream = plan.sequence("evolution")
    while True:
        (child,) = stream.spawn(1)
        yield int(child.generate_state(1, np.uint64)[0] >> np.uint64(1))
