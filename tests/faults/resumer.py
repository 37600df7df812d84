"""Run as a module: forks runs, kills them, resumes them, and compares what they come to."""

import logging
import os
import random
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from optix_core import LoopCallback, state_keeper

from .registry_killer import fork
from .resume_scene import build, marks

SOURCES = (
    "state_", "run_state", "_state_tree", "_atomic_io", "_snapshot_", "weights_file", "journal",
    "checkpoint_registry", "_manifest", "round_book", "best_policies", "environment_seat",
    "replay_", "_replay_",
)  # fmt: skip


class Killer(LoopCallback):
    """Kills the process in its n-th window, or at the n-th line of saving from its second on."""

    def __init__(self, *, window: int = 0, line: int = 0) -> None:
        self.window = window
        self.line = line
        self.windows = 0

    def on_episode_end(self, window_id: int, metrics: Any) -> None:
        self.windows += 1
        if self.windows == self.window:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.line and self.windows == 2:
            sys.settrace(self.trace)

    def trace(self, frame: FrameType, event: str, argument: Any) -> Any:
        if not Path(frame.f_code.co_filename).name.startswith(SOURCES):
            return None
        if event == "line":
            self.line -= 1
            if self.line == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return self.trace


def run_in_child(kind: str, directory: Path, callback: LoopCallback, share: float) -> bool:
    """Begin or resume a run in a forked process; returns whether it came to its end."""

    def work() -> None:
        state_keeper.SHARE = share
        optimizer, agents = build(kind, directory, callback)
        report = optimizer.run()
        (directory.parent / f"{directory.name}.marks").write_text(marks(directory, report, agents))

    _, status = os.waitpid(fork(work), 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, status
    return os.WIFEXITED(status)


def compare(kind: str, root: Path, name: str) -> None:
    whole = (root / "whole.marks").read_text()
    assert (root / f"{name}.marks").read_text() == whole, (kind, name)


def with_whole_run(kind: str, then: Callable[[Path], None]) -> None:
    os.fsync = lambda fd: None  # a kill loses nothing that was written
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        assert run_in_child(kind, root / "whole", Killer(), 0.02)
        then(root)


def kill_windows(kind: str, kills: int, seed: int) -> None:
    """Kill runs in the middle of random windows, each time soon after they were resumed."""
    rng = random.Random(seed)  # noqa: S311

    def then(root: Path) -> None:
        done, number = 0, 0
        while done < kills:
            name, number = f"run{number}", number + 1
            share = rng.choice([0.0, 0.02, float("inf")])
            longest = 24 if share == 0.0 else 6
            while not run_in_child(
                kind, root / name, Killer(window=rng.randint(1, longest)), share
            ):
                done += 1
                share = float("inf")
            compare(kind, root, name)

    with_whole_run(kind, then)


def kill_lines(kind: str, step: int) -> None:
    """Kill a run at each `step`-th line of saving its state, and at no other."""

    def then(root: Path) -> None:
        line = 1
        while True:
            name = f"line{line}"
            is_over = run_in_child(kind, root / name, Killer(line=line), float("inf"))
            if not is_over:
                assert run_in_child(kind, root / name, Killer(), 0.02)
            compare(kind, root, name)
            if is_over or line > 3_000:
                assert line > 1_000, line
                return
            line += step

    with_whole_run(kind, then)


if __name__ == "__main__":
    name, kind, *numbers = sys.argv[1:]
    globals()[name](kind, *map(int, numbers))
