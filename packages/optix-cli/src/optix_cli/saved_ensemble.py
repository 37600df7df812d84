"""An ensemble in a run directory: saved as one policy at the end of a run, and loaded again."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from optix_cli.environments import Environment
from optix_cli.fresh_episodes import play_validation
from optix_cli.train_request import PreparedRun
from optix_core.base_agent import BaseAgent
from optix_core.checkpoint_registry import CheckpointRegistry
from optix_core.errors import CheckpointCorruptError, CheckpointNotFoundError
from optix_core.eval_metrics import EvalMetrics
from optix_core.policy_snapshot import PolicySnapshot
from optix_core.run_directory import RunDirectory
from optix_core.run_report import RunReport
from optix_evolve import EnsembleAgent, PolicyManager

FOLDER = "ensemble"
"""Where in a run directory ensembles are: a registry of its own, whole or absent like any other."""

SAVED_EVENT = "ensemble_saved"
"""Journal event with the hyperparameters of each member."""

_SIZE = "n_members"


def as_one_agent(manager: PolicyManager, environment: Environment) -> EnsembleAgent:
    """Return the members of a manager as one agent, whose hyperparameters are the first one's."""
    return EnsembleAgent(manager, manager.agents[0], environment.action_space, seed=0)


def save_ensemble(run: PreparedRun, manager: PolicyManager, report: RunReport) -> PolicySnapshot:
    """Score an ensemble on the run's validation episodes and save it as one policy.

    Raises:
        OSError: if the disk is full or fails; nothing is left behind.
    """
    policy = as_one_agent(manager, run.environment)
    returns = play_validation(
        policy,
        run.environment.env_id,
        n_episodes=run.settings.validation_episodes,
        seed=run.seeds.seed,
    )
    metrics: dict[str, Any] = {
        "n_episodes": len(returns),
        "score_se": float(returns.std(ddof=1) / np.sqrt(len(returns))),
        _SIZE: len(manager.agents),
    }
    registry = CheckpointRegistry(run.run_dir / FOLDER, max_snapshots=1)
    registry.run_id = report.run_id
    score = EvalMetrics(float(returns.mean()), metrics)
    saved = registry.save(policy, score, policy.get_hyperparams())
    journal = RunDirectory(run.run_dir).journal
    journal.append(
        SAVED_EVENT,
        run=report.run_id,
        window=report.windows,
        snapshot=saved.snapshot_id,
        score=score.primary_score,
        metrics=score.metrics,
        hyperparams=[agent.get_hyperparams().params for agent in manager.agents],
    )
    journal.sync()
    journal.close()
    return saved


def find_ensemble(run_dir: Path) -> PolicySnapshot:
    """Return the best ensemble of a run directory, by its validation score.

    Raises:
        CheckpointNotFoundError: if there is none.
        CheckpointCorruptError: if it is damaged.
    """
    best = CheckpointRegistry(run_dir / FOLDER).best if run_dir.is_dir() else None
    if best is None:
        raise CheckpointNotFoundError(
            f"there is no ensemble in {run_dir}; train with --spawns until a variant has trained, "
            "or leave --ensemble out to play the best policy"
        )
    return best


def load_ensemble(
    run_dir: Path,
    snapshot: PolicySnapshot,
    environment: Environment,
    *,
    make_member: Callable[[Mapping[str, Any]], BaseAgent],
    hyperparams: Sequence[Mapping[str, Any]] = (),
) -> EnsembleAgent:
    """Build the members of a saved ensemble and load them.

    Args:
        run_dir: the run directory.
        snapshot: what `find_ensemble` found there.
        environment: where it acts.
        make_member: builds a member with these hyperparameters.
        hyperparams: those of each member, as the journal has them; members without have those of
            the first one.

    Raises:
        CheckpointError: if it cannot be read.
    """
    size = snapshot.eval_metrics.metrics.get(_SIZE)
    if not isinstance(size, int) or size < 1:
        raise CheckpointCorruptError(
            f"{snapshot.snapshot_id} in {run_dir / FOLDER} does not say how many members it has"
        )
    registry = CheckpointRegistry(run_dir / FOLDER)
    manager = PolicyManager(registry)
    first = snapshot.hyperparams.params
    for position in range(size):
        own = _scalars(hyperparams[position]) if position < len(hyperparams) else {}
        manager.add_agent(make_member({**first, **own}), 1.0)
    policy = as_one_agent(manager, environment)
    registry.load(snapshot, policy)
    return policy


def _scalars(recorded: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a journal keeps as it is: a tuple would come back as a list."""
    kept = (bool, int, float, str)
    return {name: value for name, value in recorded.items() if isinstance(value, kept)}
