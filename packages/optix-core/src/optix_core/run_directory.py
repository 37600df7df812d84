"""The directory of runs: what was asked, the journal, the snapshots, the latest state."""

import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard, cast, final

from optix_core._atomic_io import (
    make_directory,
    open_directory,
    read_capped,
    remove_tree,
    replace,
)
from optix_core._directory_lock import RunLock
from optix_core._toml import decode_toml, encode_toml
from optix_core.checkpoint_registry import CheckpointRegistry
from optix_core.errors import CheckpointCorruptError, CheckpointError, CheckpointNotFoundError
from optix_core.journal import Journal

logger = logging.getLogger(__name__)

SCHEMA_VERSION = 1
ASKED_NAME = "run.toml"
JOURNAL_NAME = "events.jsonl"
STATE_NAME = "state"
BRANCHES_NAME = "branches"
LESSON_NAME = "lesson"
_TEMPORARY = ".tmp-run-toml"
MAX_RUN_ID = 10**15 - 1
"""The highest number of a run; what a file says beyond it is damage."""
_EARLIER_NAME = re.compile(r"run-([0-9]{1,15})\.toml", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """What the journal says of one run."""

    run_id: int
    """Number of the run within its directory."""
    n_events: int
    """How many events it has."""
    first_event: Mapping[str, Any]
    """Its first event."""
    last_event: Mapping[str, Any]
    """Its last event; not a `run_stopped` where the run goes on, or was killed."""


@final
class RunDirectory:
    """One directory for runs: `run.toml`, `events.jsonl`, `snapshot-<sequence>/`, `state/`.

    Only one run goes on in it at a time. Reading takes no lock.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open a directory; it is made when a run begins."""
        self._path = Path(path).absolute()
        self._journal = Journal(self._path / JOURNAL_NAME)
        self._lock: RunLock | None = None

    @property
    def path(self) -> Path:
        """The directory."""
        return self._path

    @property
    def journal(self) -> Journal:
        """Its journal."""
        return self._journal

    @property
    def state_path(self) -> Path:
        """The folder of the latest loop state; it need not exist."""
        return self._path / STATE_NAME

    @property
    def lesson_path(self) -> Path:
        """The folder of weights that a lesson may be taken back to; there while one is going on."""
        return self._path / LESSON_NAME

    @property
    def branches_path(self) -> Path:
        """The folder of the snapshots that branches of training use; it need not exist."""
        return self._path / BRANCHES_NAME

    def registry(self, max_snapshots: int = 10) -> CheckpointRegistry:
        """Return a registry of its snapshots."""
        return CheckpointRegistry(self._path, max_snapshots)

    def remove_branches(self) -> None:
        """Remove the snapshots of branches.

        Raises:
            OSError: if something cannot be removed.
        """
        with open_directory(self._path) as root:
            remove_tree(root, BRANCHES_NAME)

    def begin_run(self, asked: Mapping[str, Any]) -> int:
        """Take the directory for a new run, and write down what was asked.

        The earlier run's `run.toml` is kept as `run-<id>.toml`; its state and its branches go.

        Args:
            asked: bools, numbers, text, lists and mappings of these; None is left out.

        Returns:
            The run's number: 1 for the first, then one more than the highest there is.

        Raises:
            CheckpointLockedError: if a run is going on here.
            CheckpointError: if a newer version wrote here, or no number is left; nothing was
                changed.
            ConfigurationError: if something asked for has no TOML form; nothing was changed.
        """
        encode_toml(asked)
        self._take()
        try:
            run_id = self._next_run_id()
            document = {"schema_version": SCHEMA_VERSION, "run_id": run_id, "asked": asked}
            with open_directory(self._path) as root:
                if run_id > 1:
                    logger.warning(
                        "%s holds an earlier run; run %d is added to its journal",
                        self._path,
                        run_id,
                    )
                self._set_aside(root, run_id)
                remove_tree(root, STATE_NAME)
                remove_tree(root, BRANCHES_NAME)
                replace(root, ASKED_NAME, encode_toml(document).encode(), temporary=_TEMPORARY)
        except BaseException:
            self.end_run()
            raise
        return run_id

    def resume_run(self) -> int:
        """Take the directory to go on with its latest run; returns that run's number.

        Raises:
            CheckpointLockedError: if a run is going on here.
            CheckpointNotFoundError: if there is no run.
            CheckpointError: if it cannot be read.
        """
        if not self._path.exists():
            raise CheckpointNotFoundError(f"there is no run in {self._path}")
        self._take()
        try:
            return self._read_document()[0]
        except BaseException:
            self.end_run()
            raise

    def end_run(self) -> None:
        """Make the journal durable and give the directory back; safe to call twice."""
        try:
            self._journal.sync()
        finally:
            self._journal.close()
            if self._lock is not None:
                self._lock.release()
                self._lock = None

    def read_asked(self) -> dict[str, Any]:
        """Return what the latest run was asked for.

        Raises:
            CheckpointNotFoundError: if there is no run.
            CheckpointCorruptError: if it cannot be read.
            CheckpointError: if a newer version wrote it.
        """
        return self._read_document()[1]

    def runs(self) -> list[RunSummary]:
        """Return what the journal says of each run, in order of their numbers.

        An event belongs to the run whose number is in its field `run`.
        """
        runs: dict[int, RunSummary] = {}
        for event in self._journal.read():
            run_id = event.get("run")
            if not _is_run_id(run_id):
                continue
            before = runs.get(run_id)
            runs[run_id] = RunSummary(
                run_id=run_id,
                n_events=1 if before is None else before.n_events + 1,
                first_event=event if before is None else before.first_event,
                last_event=event,
            )
        return [runs[run_id] for run_id in sorted(runs)]

    def _take(self) -> None:
        make_directory(self._path)
        with open_directory(self._path) as root:
            self._lock = RunLock(root)
            try:
                remove_tree(root, LESSON_NAME)  # left by a kill
            except BaseException:
                self.end_run()
                raise

    def _next_run_id(self) -> int:
        run_id = self._last_run_id() + 1
        if run_id > MAX_RUN_ID:
            raise CheckpointError(
                f"no number is left for a run in {self._path} after {run_id - 1}; "
                "give another directory"
            )
        return run_id

    def _last_run_id(self) -> int:
        known = [0]
        known.extend(run.run_id for run in self.runs())
        known.extend(snapshot.run_id for snapshot in self.registry().snapshots())
        known.extend(
            int(match.group(1))
            for entry in self._path.iterdir()
            if (match := _EARLIER_NAME.fullmatch(entry.name))
        )
        try:
            known.append(self._read_document()[0])
        except CheckpointNotFoundError:
            pass
        except CheckpointCorruptError as error:
            logger.warning("%s", error)
            known.append(max(known) + 1)
        return max(known)

    def _set_aside(self, root: int, run_id: int) -> None:
        try:
            earlier = self._read_document()[0]
        except CheckpointNotFoundError:
            return
        except CheckpointCorruptError:
            earlier = run_id - 1
        os.rename(ASKED_NAME, f"run-{earlier}.toml", src_dir_fd=root, dst_dir_fd=root)

    def _read_document(self) -> tuple[int, dict[str, Any]]:
        path = self._path / ASKED_NAME
        try:
            with open_directory(self._path) as root:
                document = decode_toml(read_capped(root, ASKED_NAME), str(path))
        except FileNotFoundError as error:
            raise CheckpointNotFoundError(f"there is no run in {self._path}") from error
        version, run_id = document.get("schema_version"), document.get("run_id")
        asked = document.get("asked")
        if type(version) is int and version > SCHEMA_VERSION:
            raise CheckpointError(
                f"{path} has schema_version {version}, this optix-core reads up to "
                f"{SCHEMA_VERSION}; update optix-core"
            )
        if type(version) is not int or not _is_run_id(run_id) or not isinstance(asked, dict):
            raise CheckpointCorruptError(f"{path} lacks schema_version, run_id or [asked]")
        return run_id, cast("dict[str, Any]", asked)


def _is_run_id(value: object) -> TypeGuard[int]:
    return type(value) is int and 1 <= value <= MAX_RUN_ID
