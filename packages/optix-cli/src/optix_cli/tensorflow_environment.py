"""Keeps TensorFlow's C++ log off the terminal while an agent is loaded."""

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Generator, MutableMapping
from typing import IO

_DEFAULTS = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    # Announces itself on stderr, and makes sums depend on the number of threads.
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "KERAS_BACKEND": "tensorflow",
}
_STDERR = 2
# absl's form: severity, date, time, thread, file and line. Fatal lines are let through.
_LOG_LINE = re.compile(rb"(?:[IWE]\d{4} [\d:.]+ +\d+ [\w./]+:\d+\] |WARNING: All log messages be)")


@contextlib.contextmanager
def quiet_tensorflow(environment: MutableMapping[str, str] = os.environ) -> Generator[None]:
    """Let nothing but TensorFlow's own log lines be lost of what is written to stderr inside.

    The environment variables silence what comes after TensorFlow has read them; some lines it
    writes before that, so stderr is held back and passed on without them.
    """
    for name, value in _DEFAULTS.items():
        environment.setdefault(name, value)
    with _held_back() as held:
        before = os.dup(_STDERR)
        os.dup2(held.fileno(), _STDERR)
        try:
            yield
        finally:
            os.dup2(before, _STDERR)
            os.close(before)
            held.seek(0)
            for line in held:
                if not _LOG_LINE.match(line):
                    os.write(_STDERR, line)


def _held_back() -> IO[bytes]:
    """A file of no directory where the system has such: a run writes into its own alone."""
    if sys.platform == "linux":
        return os.fdopen(os.memfd_create("stderr"), "w+b")
    return tempfile.TemporaryFile()
