"""Run as a module: forks writers, kills them, and reports what the registry was like afterwards.

Forking from a small process of one thread keeps a kill at some milliseconds.
"""

import os
import random
import select
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from optix_core import EvalMetrics, HyperparamSet
from optix_core.checkpoint_registry import CheckpointRegistry

from .registry_scene import WeightAgent, loaded_scores, save

MAX_SNAPSHOTS = 3
SOURCES = (
    "_atomic_io.py",
    "_directory_lock.py",
    "_snapshot_",
    "_manifest.py",
    "_sealed_json.py",
    "checkpoint_registry.py",
)


def fork(work: Callable[[], None]) -> int:
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the parent hears of it
            sys.stderr.write(f"{error!r}\n")
            os._exit(1)
    return child


def kill_at_random(rounds: int, seed: int) -> None:
    """Kill a writer `rounds` times; each snapshot it acknowledged has to be there, or be pruned."""
    rng = random.Random(seed)  # noqa: S311
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        known: dict[int, float] = {}
        for _ in range(rounds):
            known.update(kill_one(root, rng))
            check(root, known)


def kill_one(root: Path, rng: random.Random) -> dict[int, float]:
    reader, writer = os.pipe()
    seed = rng.random()

    def work() -> None:
        registry, draws = CheckpointRegistry(root, MAX_SNAPSHOTS), random.Random(seed)  # noqa: S311
        while True:
            score = draws.random()
            sequence = save(registry, score).sequence
            os.write(writer, f"{sequence} {score!r}\n".encode())

    child = fork(work)
    os.close(writer)
    # A few saves, and then somewhere within the next one.
    text = b"".join(os.read(reader, 4096) for _ in range(rng.randint(0, 2)))
    select.select([], [], [], rng.random() * 0.05)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while more := os.read(reader, 4096):
        text += more
    os.close(reader)
    lines = (line.split() for line in text.decode().splitlines())
    return {int(sequence): float(score) for sequence, score in lines}


def check(root: Path, known: dict[int, float]) -> None:
    found = loaded_scores(root)
    assert len(found) <= MAX_SNAPSHOTS + 2, found
    assert all(found[number] == known[number] for number in found.keys() & known.keys())
    if known:
        newest = max(known)
        best = max(known.values())
        assert max(found.values()) >= best, (found, best)
        assert newest in found, (found, newest)
    # The next save works, and clears away what the dead one left.
    sequence = save(CheckpointRegistry(root, MAX_SNAPSHOTS), -1.0).sequence
    assert sequence > max([0, *found])
    known[sequence] = -1.0
    assert not list(root.glob(".tmp-*"))
    assert len(loaded_scores(root)) <= MAX_SNAPSHOTS


def kill_at_lines(step: int) -> None:
    """Kill a writer at each `step`-th line that a save executes."""
    os.fsync = lambda fd: None  # a kill loses nothing that was written
    line = 1
    while not kill_a_save(line):
        line += step
    assert line > 200, line


def kill_a_save(line: int) -> bool:
    """Kill at a line; returns whether the save was over before."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        registry = CheckpointRegistry(root, MAX_SNAPSHOTS)
        for score in (1.0, 9.0, 2.0, 3.0):
            save(registry, score)
        over = kill_at_line(line, lambda: save(registry, 4.0))
        found = list(loaded_scores(root).values())
        before, after = [9.0, 2.0, 3.0], [[9.0, 2.0, 3.0, 4.0], [9.0, 3.0, 4.0]]
        assert found in (after[1:] if over else [before, *after]), (line, found)
        check(root, {2: 9.0, 4: 3.0})
        return over


def kill_at_line(line: int, work: Callable[[], object]) -> bool:
    """Do some work in a fork that is killed at the n-th line of the registry's sources.

    Returns:
        Whether the work was over before.
    """
    executed = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal executed
        name = Path(frame.f_code.co_filename).name
        if not name.startswith(SOURCES):
            return None
        if event == "line":
            executed += 1
            if executed == line:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    def traced() -> None:
        sys.settrace(trace)
        work()
        sys.settrace(None)

    _, status = os.waitpid(fork(traced), 0)
    over = os.WIFEXITED(status)
    assert not over or os.WEXITSTATUS(status) == 0
    return over


def write_together(writers: int, saves: int) -> None:
    """Several processes save at once; every acknowledged snapshot is there."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)

        def work(index: int) -> None:
            registry = CheckpointRegistry(root, 1000)
            for number in range(saves):
                save(registry, float(index * saves + number))

        children = [fork(lambda index=index: work(index)) for index in range(writers)]
        statuses = [os.waitpid(child, 0)[1] for child in children]
        assert statuses == [0] * writers, statuses
        found = loaded_scores(root)
        assert sorted(found.values()) == [float(n) for n in range(writers * saves)], found
        assert sorted(found) == list(range(1, writers * saves + 1))


def outlive_the_parent() -> None:
    """A child that is forked while the parent writes holds no lock when the parent is gone."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        reader, writer = os.pipe()

        def parent() -> None:
            agent = WeightAgent()

            def fork_and_die(path: str) -> None:
                orphan = fork(lambda: select.select([], [], [], 30)[0].clear())  # noqa: PLW0108 - waits when called
                os.write(writer, str(orphan).encode())
                os.kill(os.getpid(), signal.SIGKILL)

            agent.save_weights = fork_and_die
            CheckpointRegistry(root).save(agent, EvalMetrics(1.0), HyperparamSet({}))

        os.waitpid(fork(parent), 0)
        orphan = int(os.read(reader, 100))
        try:
            assert save(CheckpointRegistry(root), 2.0).sequence == 1
        finally:
            os.kill(orphan, signal.SIGKILL)


if __name__ == "__main__":
    name, *numbers = sys.argv[1:]
    globals()[name](*map(int, numbers))
