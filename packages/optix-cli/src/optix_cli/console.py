"""Where the command writes: results to stdout, errors and warnings to stderr."""

import contextlib
import logging
from collections.abc import Generator

from rich.console import Console
from rich.text import Text


def output_console() -> Console:
    """Return a console on stdout."""
    return Console(highlight=False)


def error_console() -> Console:
    """Return a console on stderr."""
    return Console(highlight=False, stderr=True)


def print_line(console: Console, text: str | Text) -> None:
    """Print a line as it is: no markup in a plain text, never broken at the console's width."""
    console.print(text, markup=False, soft_wrap=True)


@contextlib.contextmanager
def warnings_shown(console: Console) -> Generator[None]:
    """Show what libraries log as a warning or worse, one line each."""
    handler = _ConsoleHandler(console)
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)


class _ConsoleHandler(logging.Handler):
    def __init__(self, console: Console) -> None:
        super().__init__(logging.WARNING)
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        label = "Error: " if record.levelno >= logging.ERROR else "Warning: "
        print_line(self._console, Text.assemble((label, "yellow"), self.format(record)))
