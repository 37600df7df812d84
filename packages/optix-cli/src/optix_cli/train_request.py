"""What was typed after `optix train`, and what it comes to: settings, agent, directory."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from optix_cli.agent_choice import agent_for, preferences_of
from optix_cli.agent_factory import find_factory, is_typed_module
from optix_cli.environments import Environment, look_up_environment
from optix_cli.loop_settings import LoopSettings
from optix_cli.overrides import parse_values, split_assignments, unknown_name
from optix_cli.tensorflow_environment import quiet_tensorflow
from optix_cli.tuners import NONE, make_tuner
from optix_core.base_agent import BaseAgent
from optix_core.errors import ConfigurationError
from optix_core.seeds import SeedPlan

RUNS = Path("runs")
"""Where runs go that are given no directory."""

_SMALLEST_ENSEMBLE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainRequest:
    """What was typed."""

    env_id: str
    """Gymnasium id."""
    seed: int | None = None
    """None to draw one."""
    run_dir: Path | None = None
    """None for a fresh directory below `RUNS`."""
    max_steps: int | None = None
    """None for no limit."""
    assignments: tuple[str, ...] = ()
    """Each `name=value`."""
    agent: str | None = None
    """Entry point, or `module:factory`; None to choose by the actions."""
    spawns: int = 0
    """Variants to spawn at most; 0 to train the one agent alone."""
    ensemble: int | None = None
    """Members of the ensemble at most; None for no limit."""
    tuner: str = NONE
    """Who tunes hyperparameters beside the loop itself."""

    def __post_init__(self) -> None:
        """Check the numbers of evolution and the name of the tuner."""
        make_tuner(self.tuner)
        if self.spawns < 0:
            raise ConfigurationError(f"--spawns cannot be negative, got {self.spawns}")
        if self.ensemble is not None and self.spawns == 0:
            raise ConfigurationError(
                f"--ensemble {self.ensemble} needs variants to take in; add --spawns K"
            )
        if self.ensemble is not None and self.ensemble < _SMALLEST_ENSEMBLE:
            raise ConfigurationError(
                f"--ensemble must be at least {_SMALLEST_ENSEMBLE}, got {self.ensemble}; leave "
                "--spawns out to train one agent alone"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedRun:
    """What a request comes to."""

    request: TrainRequest
    """What was typed."""
    seeds: SeedPlan
    """The streams of the run."""
    environment: Environment
    """Where it trains."""
    settings: LoopSettings
    """Settings of the loop."""
    max_windows: int | None
    """The budget in windows; None for no limit."""
    agent_name: str
    """Entry point or `module:factory` of the agent, typed or chosen."""
    agent: BaseAgent
    """The agent, built and untrained."""
    make_agent: Callable[[int], BaseAgent]
    """Builds another one like it from a seed."""
    run_dir: Path
    """Where the run goes."""

    @property
    def hyperparams(self) -> Mapping[str, Any]:
        """Hyperparameters of the agent."""
        return self.agent.get_hyperparams().params

    def sections(self) -> dict[str, Mapping[str, Any]]:
        """Return what `run.toml` is to hold beside the settings of the loop."""
        settings, request = self.settings, self.request
        return {
            "train": {
                "env_id": request.env_id,
                "agent": self.agent_name,
                "max_steps": request.max_steps,
                "set": list(request.assignments),
                "spawns": request.spawns,
                "ensemble": request.ensemble,
                "tuner": request.tuner,
            },
            "collection": {
                "n_envs": settings.n_envs,
                "window_size": settings.window_size,
                "validation_episodes": settings.validation_episodes,
                "test_episodes": settings.test_episodes,
            },
            "hyperparams": dict(self.hyperparams),
        }


def prepare(request: TrainRequest) -> PreparedRun:
    """Turn what was typed into what is to run. Cheap mistakes are found before slow imports.

    Raises:
        ConfigurationError: if anything typed is unknown, of the wrong type or out of range.
    """
    seeds = SeedPlan.from_optional(request.seed)
    assignments = split_assignments(request.assignments)
    for_loop, for_agent = _split(assignments)
    # The module of the user's agent may be what registers the environment.
    named = request.agent
    typed = find_factory(named) if named is not None and is_typed_module(named) else None
    environment = look_up_environment(request.env_id)
    agent_name = named or agent_for(environment.action_space)

    def choose(defaults: Mapping[str, Any]) -> Mapping[str, Any]:
        _check_names(assignments, for_agent, defaults)
        return parse_values(for_agent, defaults)

    with quiet_tensorflow():
        factory = typed or find_factory(agent_name)
        agent = factory(environment, seeds.integer("agent"), choose)

    settings = replace(LoopSettings(), **{**preferences_of(agent), **for_loop})

    def make_agent(seed: int) -> BaseAgent:
        return factory(environment, seed, choose)

    return PreparedRun(
        request=request,
        seeds=seeds,
        environment=environment,
        settings=settings,
        max_windows=settings.windows_within(request.max_steps),
        agent_name=agent_name,
        agent=agent,
        make_agent=make_agent,
        run_dir=request.run_dir or fresh_directory(RUNS, request.env_id, seeds.seed),
    )


def fresh_directory(root: Path, env_id: str, seed: int) -> Path:
    """Return a directory below `root` that does not exist: ENV-seedSEED, then numbered ones."""
    name = f"{env_id.replace('/', '-').replace(':', '-')}-seed{seed}"
    path, number = root / name, 1
    while path.exists():
        number += 1
        path = root / f"{name}-{number}"
    return path


def _split(assignments: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Read what is for the loop, and leave the rest for the agent."""
    known = LoopSettings().as_dict()
    for_loop = {name: text for name, text in assignments.items() if name in known}
    for_agent = {name: text for name, text in assignments.items() if name not in known}
    return parse_values(for_loop, known), for_agent


def _check_names(
    assignments: Mapping[str, str], for_agent: Mapping[str, str], hyperparams: Mapping[str, Any]
) -> None:
    loop_names = list(LoopSettings().as_dict())
    for name in for_agent:
        if name not in hyperparams:
            groups = {"hyperparameters": list(hyperparams), "loop settings": loop_names}
            raise unknown_name(name, groups)
    for name in assignments:
        if name in hyperparams and name in loop_names:
            raise ConfigurationError(
                f"--set {name} is ambiguous: the loop and the agent both have a {name!r}; rename "
                "the agent's hyperparameter"
            )
