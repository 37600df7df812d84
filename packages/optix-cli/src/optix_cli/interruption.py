"""Turns SIGINT and SIGTERM into an orderly end of the run; a second one quits at once."""

import contextlib
import os
import signal
import sys
from collections.abc import Generator
from types import FrameType

_SHOW_CURSOR = "\x1b[?25h"
_BASE = 128
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def exit_code(signal_name: str) -> int:
    """Return the exit code of a command that a signal ended: 128 and its number, as shells have it.

    Without a name that is a signal's: 130, that of SIGINT.
    """
    known = {number.name: number for number in _SIGNALS}
    return _BASE + known.get(signal_name, signal.SIGINT)


class Interruption:
    """Whether a signal came, for those who want to ask instead of being interrupted."""

    def __init__(self) -> None:
        """No signal came yet."""
        self.signal_name: str | None = None

    def check(self) -> None:
        """Raise KeyboardInterrupt where a signal came.

        An exception that a signal handler raises is lost where Python happens to run a destructor
        or a callback of C code; asking once a window finds what was lost.
        """
        if self.signal_name is not None:
            raise KeyboardInterrupt(self.signal_name)

    def on_signal(self, number: int, _frame: FrameType | None) -> None:
        """Raise KeyboardInterrupt at the first signal, quit the process at the second."""
        if self.signal_name is not None:
            if sys.stdout.isatty():
                sys.stdout.write(_SHOW_CURSOR)
                sys.stdout.flush()
            os._exit(_BASE + number)
        self.signal_name = signal.Signals(number).name
        raise KeyboardInterrupt(self.signal_name)


@contextlib.contextmanager
def interruptible() -> Generator[Interruption]:
    """Handle signals inside of the block as `Interruption` does; restore what was there after it.

    Only the main thread of a program can use this.
    """
    interruption = Interruption()
    before = {number: signal.signal(number, interruption.on_signal) for number in _SIGNALS}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            # None stands for a handler that Python did not install and cannot put back.
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
