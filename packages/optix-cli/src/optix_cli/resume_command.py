"""`optix resume`: goes on with a run that was killed, interrupted, failed, or out of budget."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from optix_cli.console import output_console, print_line
from optix_cli.interruption import interruptible
from optix_cli.recorded_parts import what_to_build
from optix_cli.train_command import train_and_report
from optix_cli.train_request import TrainRequest, prepare
from optix_cli.tuners import NONE
from optix_core.errors import CheckpointCorruptError
from optix_core.resumption import report_of_finished, seed_of
from optix_core.run_directory import RunDirectory


class _Recorded(msgspec.Struct, kw_only=True):
    """What `optix train` wrote down of itself."""

    set: list[str] = []
    max_steps: int | None = None
    spawns: int = 0
    ensemble: int | None = None
    tuner: str = NONE


def resume(
    run_dir: Path,
    /,
    *,
    max_steps: int | None = None,
    agent: str | None = None,
    env: str | None = None,
) -> None:
    """Go on with the latest run of a directory, from its last saved state, as it was asked for.

    It comes to what it would have come to without the interruption; what cannot be restored is
    said. A run that has ended by itself stays as it is.

    Args:
        run_dir: Directory of a run, as optix train printed it.
        max_steps: Stop after at most as many steps of training in all. Default: the run's own.
        agent: The agent again where it was module:factory: a module is imported only when typed.
        env: The environment again where it was module:MyEnv-v0, for the same reason.
    """
    directory = RunDirectory(run_dir)
    asked = directory.read_asked()
    request = _request_of(asked, run_dir, max_steps=max_steps, agent=agent, env=env)
    console = output_console()
    with interruptible() as interruption:
        # Converged is converged, and said at once; a budget is known when the agent is.
        if _is_finished(directory, None, console):
            return
        with console.status(f"Loading {request.agent}"):
            run = prepare(request)
        if not _is_finished(directory, run.max_windows, console):
            train_and_report(run, console, interruption, resume=True)


def _is_finished(directory: RunDirectory, max_windows: int | None, console: Console) -> bool:
    """Whether nothing is left to do in the latest run, which is said then."""
    report = report_of_finished(directory, max_windows)
    if report is None:
        return False
    print_line(
        console,
        f"Run {report.run_id} in {directory.path} has ended, {report.stop_reason.value}: "
        f"{report.detail}. There is nothing to resume.",
    )
    return True


def _request_of(
    asked: Mapping[str, Any],
    run_dir: Path,
    *,
    max_steps: int | None,
    agent: str | None,
    env: str | None,
) -> TrainRequest:
    train: Mapping[str, Any] = asked.get("train", {})
    try:
        recorded = msgspec.convert(train, _Recorded)
    except msgspec.ValidationError as error:
        raise CheckpointCorruptError(f"run.toml in {run_dir} is damaged: {error}") from error
    return TrainRequest(
        env_id=what_to_build(train, "env_id", env),
        seed=seed_of(asked),
        run_dir=run_dir,
        max_steps=recorded.max_steps if max_steps is None else max_steps,
        assignments=tuple(recorded.set),
        agent=what_to_build(train, "agent", agent),
        spawns=recorded.spawns,
        ensemble=recorded.ensemble,
        tuner=recorded.tuner,
    )
