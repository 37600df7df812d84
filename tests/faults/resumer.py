"""Run as a module: forks runs, kills them, resumes them, and compares what they come to."""

import json
import logging
import os
import random
import signal
import sys
import tempfile
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from optix_core import LoopCallback, state_keeper

from .power_loss import Disk, images, powered
from .registry_killer import fork
from .resume_scene import build, marks
from .write_killer import Changes

OFTEN = float("inf")
"""Share of its time that saving may take: the state is saved after each window."""
ONCE = 0.0
"""After the first window alone."""


class Killer(LoopCallback):
    """Kills the process in its n-th window; never for 0."""

    def __init__(self, window: int = 0) -> None:
        self.window = window
        self.windows = 0

    def on_episode_end(self, window_id: int, metrics: Any) -> None:
        self.windows += 1
        if self.windows == self.window:
            os.kill(os.getpid(), signal.SIGKILL)


def beside(directory: Path, what: str) -> Path:
    return directory.parent / f"{directory.name}.{what}"


def run_here(kind: str, directory: Path, share: float, killer: Killer) -> None:
    """Begin a run or take it up, and write down what it comes to."""
    state_keeper.SHARE = share
    optimizer, agents = build(kind, directory, killer)
    report = optimizer.run()
    beside(directory, "marks").write_text(marks(directory, report, agents))


def comes_to_its_end(work: Callable[[], None]) -> bool:
    """Do some work in a forked process; returns whether it was not killed."""
    _, status = os.waitpid(fork(work), 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, status
    return os.WIFEXITED(status)


def run_in_child(kind: str, directory: Path, share: float, window: int = 0) -> bool:
    return comes_to_its_end(lambda: run_here(kind, directory, share, Killer(window)))


def run_until_change(kind: str, directory: Path, share: float, kill_at: int) -> bool:
    """A run that is killed at a change of files; returns whether it came to its end before."""

    def work() -> None:
        Changes(kill_at)
        run_here(kind, directory, share, Killer())

    return comes_to_its_end(work)


def count_changes(kind: str, directory: Path, share: float) -> int:
    """How many changes a whole run makes, its marks included."""

    def work() -> None:
        changes = Changes()
        optimizer, _ = build(kind, directory, Killer())
        state_keeper.SHARE = share
        optimizer.run()
        changes.check_complete()
        beside(directory, "count").write_text(str(changes.count))

    assert comes_to_its_end(work)
    return int(beside(directory, "count").read_text())


def compare(kind: str, root: Path, name: str, left_out: Collection[str] = ()) -> None:
    whole, found = (read_marks(root / run, left_out) for run in ("whole", name))
    different = [what for what, value in whole.items() if found[what] != value]
    assert not different, (kind, name, different)


def read_marks(directory: Path, left_out: Collection[str]) -> dict[str, Any]:
    everything = json.loads(beside(directory, "marks").read_text())
    return {what: value for what, value in everything.items() if what not in left_out}


def not_handed_back(directory: Path) -> Collection[str]:
    """What a run does not give to the agents of who resumes it: some of it where it has ended."""
    journal = directory / "events.jsonl"
    has_ended = journal.exists() and b'"run_stopped"' in journal.read_bytes()
    return ("memories", "status") if has_ended else ()


def with_whole_run(kind: str, then: Callable[[Path], None]) -> None:
    os.fsync = lambda fd: None  # a kill loses nothing that was written
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        # In this process, so that those forked from it find everything imported and compiled.
        run_here(kind, root / "whole", OFTEN, Killer())
        then(root)


def kill_windows(kind: str, kills: int, seed: int) -> None:
    """Kill runs in the middle of random windows, each time soon after they were resumed."""
    rng = random.Random(seed)  # noqa: S311

    def then(root: Path) -> None:
        done, number = 0, 0
        while done < kills:
            name, number = f"run{number}", number + 1
            share = rng.choice([ONCE, 0.02, OFTEN])
            longest = 12 if share == ONCE else 6
            while not run_in_child(kind, root / name, share, rng.randint(1, longest)):
                done += 1
                share = OFTEN
            compare(kind, root, name)

    with_whole_run(kind, then)


def kill_changes(kind: str, step: int) -> None:
    """Kill a run at each `step`-th change of files, half of them again while they are resumed."""

    def kill_and_resume(root: Path, share: float, kill_at: int) -> None:
        name, rng = f"run{share}-{kill_at}", random.Random(kill_at)  # noqa: S311
        directory = root / name
        assert not run_until_change(kind, directory, share, kill_at)
        left_out, is_over = not_handed_back(directory), False
        if rng.random() < 0.5:
            is_over = run_until_change(kind, directory, OFTEN, rng.randint(1, 40))
        if not is_over:
            left_out = not_handed_back(directory)
            assert run_in_child(kind, directory, 0.02)
        compare(kind, root, name, left_out)

    def then(root: Path) -> None:
        for share in (OFTEN, ONCE):
            n_changes = count_changes(kind, root / f"counted{share}", share)
            for kill_at in range(1, n_changes + 1, step):
                kill_and_resume(root, share, kill_at)
            sys.stdout.write(f"{kind}: {n_changes} changes\n")
            sys.stdout.flush()

    with_whole_run(kind, then)


def cut_power(kind: str, step: int, seed: int) -> None:
    """Resume a run from what a power cut before each `step`-th operation may have left.

    A snapshot that was being removed may be there again, whole or damaged, so these are not
    compared.
    """
    rng = random.Random(seed)  # noqa: S311

    def run(home: Path, images_at: Path) -> None:
        n_operations = 0

        def cut(disk: Disk) -> None:
            nonlocal n_operations
            n_operations += 1
            if n_operations % step == 0:
                for image in images(disk, images_at, rng, 1):
                    image.rename(images_at / f"{n_operations}-{image.name}")

        home.mkdir()
        images_at.mkdir()
        with powered(home, cut):
            run_here(kind, home / "run", OFTEN, Killer())

    def then(root: Path) -> None:
        assert comes_to_its_end(lambda: run(root / "home", root / "images"))
        found = sorted((root / "images").iterdir())
        assert len(found) > 3
        for image in found:
            left_out = {"snapshots", *not_handed_back(image / "run")}
            assert run_in_child(kind, image / "run", 0.02)
            compare(kind, root, f"images/{image.name}/run", left_out)

    with_whole_run(kind, then)


if __name__ == "__main__":
    name, kind, *numbers = sys.argv[1:]
    globals()[name](kind, *map(int, numbers))
