"""Kills a process just before its n-th change to the file system, or half way through it.

A kill leaves the files as the calls so far have made them: wherever between two calls it comes, it
leaves the same ones. So killing before each call, and in the middle of each write, leaves all that
killing at each line of code would, and more. What a call that is cut short may leave else is a
write of fewer bytes; the other calls are whole or nothing. `fsync` changes nothing that a kill
could lose, so there is no kill of its own before it.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

CALLS = ("open", "write", "ftruncate", "rename", "mkdir", "unlink", "rmdir", "fchmod")
MAKES = os.O_CREAT | os.O_TRUNC
AUDITED = {"os.truncate", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.chmod"}


class Changes:
    """Counts the changes that this process makes from now on, and kills it at one of them.

    A write counts twice: there is a kill before it and one half way through it.
    """

    def __init__(self, kill_at: int = 0) -> None:
        self.count, self.kill_at = 0, kill_at
        self.n_calls = self.n_audited = 0
        for name in CALLS:
            setattr(os, name, self.wrap(name, getattr(os, name)))
        sys.addaudithook(self.hear)

    def check_complete(self) -> None:
        """Python itself tells of all but writes: nothing went past the calls that are wrapped."""
        assert self.n_calls == self.n_audited > 0, (self.n_calls, self.n_audited)

    def wrap(self, name: str, plain: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if name == "write":
                handle, data = arguments
                self.strike()
                self.strike(lambda: plain(handle, bytes(data)[: len(data) // 2]))
            elif name != "open" or arguments[1] & MAKES:
                self.n_calls += 1
                self.strike()
            return plain(*arguments, **options)

        return call

    def strike(self, before: Callable[[], object] = lambda: None) -> None:
        self.count += 1
        if self.count == self.kill_at:
            before()
            os.kill(os.getpid(), signal.SIGKILL)

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        is_making = event == "open" and isinstance(arguments[2], int) and arguments[2] & MAKES
        if is_making and arguments[1] is not None:
            # Python's own `open`, as agents use it; what they write is staged and sealed later.
            self.n_calls += 1
            self.strike()
        if is_making or event in AUDITED:
            self.n_audited += 1
