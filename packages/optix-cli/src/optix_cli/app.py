"""The `optix` command: its parts, and how it ends."""

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Annotated, Any

from cyclopts import App, CycloptsError, Parameter
from rich.console import Console
from rich.text import Text
from rich.traceback import Traceback

from optix_cli.console import error_console, print_line, warnings_shown
from optix_cli.interruption import exit_code
from optix_core.errors import OptixError

OK, FAILED, USAGE = 0, 1, 2
"""Exit codes, beside those of `interruption.exit_code`."""

app = App(
    name="optix",
    help="Train a reinforcement-learning agent that decides by itself when it is done.",
    help_epilogue=(
        "Begin with: optix train CartPole-v1 --seed 0\n\n"
        "Exit codes: 0 done, 1 error, 2 wrong usage, 130 interrupted, 143 terminated."
    ),
    version=lambda: f"optix {version('optix-cli')}",
)
app.meta.group_parameters = "Options of every command"

# Named by path, a command is imported when it is typed: `optix --help` stays quick.
app.command(
    "optix_cli.train_command:train",
    name="train",
    help="Train until nothing improves any more, test the best policy, report.",
    sort_key=0,
)
app.command(
    "optix_cli.resume_command:resume",
    name="resume",
    help="Go on with a run that was killed, interrupted, failed, or ended by its budget.",
    sort_key=1,
)
app.command(
    "optix_cli.evaluate_command:evaluate",
    name="evaluate",
    help="Play the best policy of a run on fresh episodes, print its mean return.",
    sort_key=2,
)
app.command(
    "optix_cli.report_command:report",
    name="report",
    help="Print the report of a run from its journal, also of one that failed or was killed.",
    sort_key=3,
)

bench = App(name="bench", help="Measure what something costs on this machine.", sort_key=4)
bench.command(
    "optix_cli.bench_command:ensemble",
    name="ensemble",
    help="Measure mean, vote and forward pass of an ensemble of your sizes.",
)
app.command(bench)


@app.meta.default
def launch(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    debug: Annotated[bool, Parameter(negative="", show_default=False)] = False,
) -> int:
    """Run a command.

    Args:
        tokens: The command line without the options of every command.
        debug: Show the traceback of an error.
    """
    errors = error_console()
    try:
        command, bound, _ = app.parse_args(tokens, exit_on_error=False, error_console=errors)
    except CycloptsError:
        return USAGE
    with warnings_shown(errors):
        return _run(command, (bound.args, bound.kwargs), errors, debug=debug)


def main(tokens: Sequence[str] | None = None) -> int:
    """Run a command line, that of this process by default; returns the exit code."""
    given = sys.argv[1:] if tokens is None else list(tokens)
    try:
        command, bound, _ = app.meta.parse_args(
            given, exit_on_error=False, error_console=error_console()
        )
    except CycloptsError:
        return USAGE
    # The command is `launch`, or what prints the help or the version.
    code: object = command(*bound.args, **bound.kwargs)
    return code if isinstance(code, int) else OK


def _run(
    command: Callable[..., object],
    arguments: tuple[Sequence[Any], Mapping[str, Any]],
    errors: Console,
    *,
    debug: bool,
) -> int:
    """Run a command; an error becomes one clear line, preceded by its traceback with `debug`."""
    positional, named = arguments
    try:
        command(*positional, **named)
    except KeyboardInterrupt as interrupt:
        by = f" by {interrupt}" if str(interrupt) else ""
        print_line(errors, Text(f"Interrupted{by}.", style="yellow"))
        return exit_code(str(interrupt))
    except Exception as error:  # noqa: BLE001 - an agent or environment may raise anything
        if debug:
            errors.print(Traceback.from_exception(type(error), error, error.__traceback__))
        text = error_text(error, debug=debug)
        print_line(errors, Text.assemble(("Error: ", "bold red"), text))
        return FAILED
    return OK


def error_text(error: Exception, *, debug: bool) -> str:
    """Write an error in one line, with its notes; one that is not ours with its type and a hint."""
    is_ours = isinstance(error, OptixError)
    name = "" if is_ours else f"{type(error).__name__}: "
    notes = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
    hint = "" if is_ours or debug else " Add --debug for the traceback."
    return f"{name}{' '.join(str(error).split())}{notes}{hint}"
