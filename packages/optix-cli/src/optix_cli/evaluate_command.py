"""`optix evaluate`: plays the best policy of a run directory, or its ensemble, again."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from optix_cli.agent_factory import AgentFactory, find_factory, is_typed_module
from optix_cli.console import output_console, print_line
from optix_cli.environments import Environment, look_up_environment
from optix_cli.fresh_episodes import play_test
from optix_cli.interruption import interruptible
from optix_cli.recorded_parts import what_to_build
from optix_cli.report_command import print_row, read_run
from optix_cli.report_text import disagreement_rows, outcome_text, run_title, train_section
from optix_cli.run_history import RunHistory
from optix_cli.saved_ensemble import find_ensemble, load_ensemble
from optix_cli.tensorflow_environment import quiet_tensorflow
from optix_cli.wording import evaluation_text
from optix_core.base_agent import BaseAgent
from optix_core.checkpoint_registry import CheckpointRegistry
from optix_core.errors import CheckpointNotFoundError, ConfigurationError
from optix_core.policy_snapshot import PolicySnapshot


def evaluate(
    run_dir: Path,
    /,
    *,
    episodes: int = 100,
    seed: int | None = None,
    agent: str | None = None,
    env: str | None = None,
    ensemble: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Play the best policy of a run, or its ensemble, on fresh episodes, print its mean return.

    Args:
        run_dir: Directory of a run, as optix train printed it.
        episodes: How many episodes to play, without exploration where the agent can.
        seed: What the episodes are drawn from. Default: the run's seed, which repeats its test.
        agent: The agent again where it was module:factory: a module is imported only when typed.
        env: The environment again where it was module:MyEnv-v0, for the same reason.
        ensemble: Play the ensemble of a run with --spawns instead.
    """
    if episodes < 1:
        raise ConfigurationError(f"--episodes must be at least 1, got {episodes}")
    console = output_console()
    with interruptible():
        snapshot = find_ensemble(run_dir) if ensemble else _best_snapshot(run_dir)
        history = read_run(run_dir, snapshot.run_id)
        typed_agent = what_to_build(train_section(history), "agent", agent)
        typed_env = what_to_build(train_section(history), "env_id", env)
        used_seed = _seed(history) if seed is None else seed
        with console.status(f"Loading {typed_agent}"):
            # Typed modules first: the agent's may be what registers the environment.
            factory = find_factory(typed_agent) if is_typed_module(typed_agent) else None
            environment = look_up_environment(typed_env)
            with quiet_tensorflow():
                found = factory or find_factory(typed_agent)
                policy = (
                    _ensemble(run_dir, snapshot, environment, factory=found, history=history)
                    if ensemble
                    else _single(run_dir, snapshot, found, environment)
                )
        with console.status(f"Playing {episodes} episodes"):
            test = play_test(policy, environment.env_id, n_episodes=episodes, seed=used_seed)
    print_line(console, run_title(typed_env, typed_agent, used_seed))
    which = "ensemble" if ensemble else "best"
    print_row(console, "Policy", f"{run_dir}, the {which} of run {snapshot.run_id}")
    print_row(console, "Validation", evaluation_text(snapshot.eval_metrics))
    print_row(console, "Test score", outcome_text(test.as_event()))
    for label, text in disagreement_rows(test.as_event()):
        print_row(console, label, text)


def _best_snapshot(run_dir: Path) -> PolicySnapshot:
    if not run_dir.is_dir():
        raise CheckpointNotFoundError(f"there is no directory {run_dir}; give one of a run")
    best = CheckpointRegistry(run_dir).best
    if best is None:
        raise CheckpointNotFoundError(
            f"there is no policy in {run_dir}: no run there has a finite score"
        )
    return best


def _single(
    run_dir: Path, snapshot: PolicySnapshot, factory: AgentFactory, environment: Environment
) -> BaseAgent:
    policy = _build(factory, environment, snapshot.hyperparams.params)
    CheckpointRegistry(run_dir).load(snapshot, policy)
    return policy


def _ensemble(
    run_dir: Path,
    snapshot: PolicySnapshot,
    environment: Environment,
    *,
    factory: AgentFactory,
    history: RunHistory,
) -> BaseAgent:
    return load_ensemble(
        run_dir,
        snapshot,
        environment,
        make_member=lambda hyperparams: _build(factory, environment, hyperparams),
        hyperparams=history.member_hyperparams(snapshot.snapshot_id),
    )


def _build(
    factory: AgentFactory, environment: Environment, hyperparams: Mapping[str, Any]
) -> BaseAgent:
    def choose(_defaults: Mapping[str, Any]) -> Mapping[str, Any]:
        return hyperparams

    # Exploration alone would use the seed.
    return factory(environment, 0, choose)


def _seed(history: RunHistory) -> int:
    seed: object = history.asked.get("run", {}).get("seed")
    if not isinstance(seed, int):
        raise ConfigurationError("the run does not say its seed; give --seed")
    return seed
