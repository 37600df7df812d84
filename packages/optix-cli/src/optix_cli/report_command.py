"""`optix report`: what a run came to, from its journal alone."""

from pathlib import Path
from textwrap import wrap
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.text import Text

from optix_cli.console import output_console, print_line
from optix_cli.report_text import next_commands, report_rows, title_of
from optix_cli.run_history import RunHistory, runs_of
from optix_core.errors import CheckpointCorruptError, CheckpointNotFoundError
from optix_core.run_directory import RunDirectory

_LABEL_WIDTH = 12
_PLAIN_WIDTH = 120


def report(run_dir: Annotated[Path, Parameter()], /) -> None:
    """Print the report of a run from its journal, also of one that failed or was killed.

    Args:
        run_dir: Directory of a run, as optix train printed it; its last run is reported.
    """
    print_report(read_run(run_dir), run_dir, output_console())


def read_runs(run_dir: Path) -> list[RunHistory]:
    """Read the runs of a directory, oldest first; none where there is no directory.

    Raises:
        CheckpointCorruptError: if its journal cannot be read.
    """
    return runs_of(RunDirectory(run_dir).journal.read()) if run_dir.is_dir() else []


def read_run(run_dir: Path, run_id: int | None = None) -> RunHistory:
    """Read a run of a directory, the last one by default.

    Raises:
        CheckpointNotFoundError: if there is no such run in it.
        CheckpointCorruptError: if its journal cannot be read.
    """
    runs = [run for run in read_runs(run_dir) if run_id in (None, run.run_id)]
    if not runs:
        which = "no run" if run_id is None else f"no run {run_id}"
        raise CheckpointNotFoundError(
            f"there is {which} in {run_dir}; give a directory that optix train printed"
        )
    return runs[-1]


def print_report(history: RunHistory, run_dir: Path, console: Console) -> None:
    """Print a report, and what may be run next.

    Raises:
        CheckpointCorruptError: if the journal's events are not those of a run.
    """
    try:
        rows = report_rows(history, run_dir)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise CheckpointCorruptError(
            f"the journal of run {history.run_id} in {run_dir} does not hold what a run writes: "
            f"{type(error).__name__} {error}"
        ) from error
    print_line(console, Text(title_of(history), style="bold"))
    for label, text in rows:
        print_row(console, label, text)
    for number, command in enumerate(next_commands(history, run_dir)):
        print_row(console, "" if number else "Next", Text(command, style="cyan"))


def print_row(console: Console, label: str, text: str | Text) -> None:
    """Print a label and what belongs to it; a plain text is wrapped, a `Text` is left as it is."""
    indent = " " * (_LABEL_WIDTH + 2)
    width = console.width if console.is_terminal else _PLAIN_WIDTH
    lines = wrap(text, width - len(indent)) if isinstance(text, str) else [text]
    for number, line in enumerate(lines):
        margin = indent if number else f"  {label:<{_LABEL_WIDTH}}"
        print_line(console, Text.assemble((margin, "dim"), line))
