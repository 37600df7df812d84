"""What a directory says of its latest run, before that is resumed."""

import logging
from collections.abc import Mapping
from typing import Any

import msgspec

from optix_core.decisions import RESUMABLE, StopReason
from optix_core.errors import CheckpointCorruptError, CheckpointNotFoundError, ConfigurationError
from optix_core.run_directory import RunDirectory
from optix_core.run_report import RunReport

logger = logging.getLogger(__name__)

_LIMIT = "max_episodes"
"""The one setting that a resumed run may have otherwise without a word: how far to go."""


def read_latest(directory: RunDirectory) -> Mapping[str, Any] | None:
    """Return what the latest run in a directory was asked for; None where there is none.

    Raises:
        CheckpointError: if it cannot be read.
    """
    try:
        return directory.read_asked()
    except CheckpointNotFoundError:
        logger.warning("there is no run in %s to resume: one is begun", directory.path)
        return None


def seed_of(asked: Mapping[str, Any]) -> int:
    """Return the seed of a run.

    Raises:
        CheckpointCorruptError: if it says none.
    """
    seed = asked.get("run", {}).get("seed")
    if type(seed) is not int:
        raise CheckpointCorruptError(f"run.toml says no seed, but {seed!r}; it is damaged")
    return seed


def check_same_run(was: Mapping[str, Any], now: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse to go on with a run of other parts; say which settings of the loop are others.

    Raises:
        ConfigurationError: if seed or the class of a part differs.
    """
    parts = _differences(was.get("run", {}), now["run"])
    if parts:
        raise ConfigurationError(
            f"the run in this directory is another one: {_text(parts)}; give what it was given, "
            "or another directory"
        )
    settings = _differences(was.get("loop", {}), now["loop"])
    settings.pop(_LIMIT, None)
    if settings:
        logger.warning("resumed with other settings than it began with: %s", _text(settings))


def report_of_finished(directory: RunDirectory, max_windows: int | None) -> RunReport | None:
    """Return the report of the latest run where there is nothing left to do in it, else None."""
    ending: Mapping[str, Any] | None = None
    latest = 0
    for event in directory.journal.read():
        run_id = event.get("run")
        if type(run_id) is not int or run_id < latest:
            continue
        if run_id > latest:
            latest, ending = run_id, None
        if event["event"] == "run_stopped":
            ending = event
    if ending is None:
        return None
    report = _report(ending, latest)
    if report.stop_reason is StopReason.MAX_WINDOWS:
        return report if max_windows is not None and report.windows >= max_windows else None
    return None if report.stop_reason in RESUMABLE else report


def _report(event: Mapping[str, Any], run_id: int) -> RunReport:
    fields = {name: event[name] for name in RunReport.__slots__ if name in event}
    try:
        return msgspec.convert({**fields, "run_id": run_id}, RunReport)
    except msgspec.ValidationError as error:
        raise CheckpointCorruptError(f"the end of run {run_id} is damaged: {error}") from error


def _differences(
    was: Mapping[str, Any], now: Mapping[str, Any]
) -> dict[str, tuple[object, object]]:
    # TOML has no null: what is None is left out there.
    return {
        name: (was.get(name), now.get(name))
        for name in was.keys() | now.keys()
        if was.get(name) != now.get(name)
    }


def _text(differences: Mapping[str, tuple[object, object]]) -> str:
    return ", ".join(
        f"{name} was {was!r} and is {now!r}" for name, (was, now) in sorted(differences.items())
    )
