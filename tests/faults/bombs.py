"""Run as a module: reads bombs one after another under limits, and says which it survived.

Address space and CPU time are limited by the kernel, so that a reader which believes a bomb dies.
"""

import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np

from optix_core._snapshot_files import RECORD_NAME
from optix_core._snapshot_record import StoredFile, decode_record, encode_record
from optix_core.checkpoint_registry import CheckpointRegistry
from optix_core.errors import CheckpointError
from optix_core.journal import Journal
from optix_core.run_directory import RunDirectory
from optix_core.weights_file import load_arrays

from .registry_scene import load, load_best, save, scores

MEGABYTE = 1 << 20
GIGABYTE = 1 << 30
DEEP = 100_000
MAX_RESIDENT_BYTES = 200 * MEGABYTE
MAX_CPU_S = 2


def two_snapshots(root: Path) -> CheckpointRegistry:
    registry = CheckpointRegistry(root)
    save(registry, 1.0)
    save(registry, 2.0)
    return registry


def second(root: Path, name: str = "weights") -> Path:
    return root / "snapshot-000002" / name


def refused(read: Callable[[], object]) -> None:
    """The reader raises a typed error."""
    try:
        read()
    except CheckpointError:
        return
    raise AssertionError("a bomb was believed")


def weights_of(path: Path, shape: list[int], offsets: list[int], size: int) -> None:
    """A weights file with one array, as long as it is told to be; its bytes are a hole."""
    entry = {"dtype": "F64", "shape": shape, "data_offsets": offsets}
    header = json.dumps({"__metadata__": {"schema_version": "1"}, "a": entry}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    os.truncate(path, 8 + len(header) + size)


def gigabyte_that_is_not_there(root: Path) -> None:
    weights_of(root / "w", [GIGABYTE // 8], [0, GIGABYTE], 64)
    refused(lambda: load_arrays(root / "w"))
    (root / "w").write_bytes(GIGABYTE.to_bytes(8, "little") + b"{}")
    refused(lambda: load_arrays(root / "w"))


def terabyte_of_holes(root: Path) -> None:
    size = 1024 * GIGABYTE
    weights_of(root / "w", [size // 8], [0, size], size)
    refused(lambda: load_arrays(root / "w", {"a": np.zeros(3)}))
    weights_of(root / "w", [1], [0, 8], size)
    refused(lambda: load_arrays(root / "w"))


def snapshot_that_swelled(root: Path) -> None:
    registry = two_snapshots(root)
    os.truncate(second(root), 1024 * GIGABYTE)
    (second(root).with_name("added")).touch()
    os.truncate(second(root, "added"), 1024 * GIGABYTE)
    (swelled,) = (found for found in registry.snapshots() if found.sequence == 2)
    refused(lambda: load(registry, swelled))
    assert load_best(CheckpointRegistry(root)) == 1.0


def zip_in_the_place_of_weights(root: Path) -> None:
    registry = two_snapshots(root)
    with zipfile.ZipFile(second(root), "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("model.weights.h5", bytes(50 * MEGABYTE))
    refused(lambda: load_arrays(second(root)))
    assert load_best(registry) == 1.0


def deep_json(root: Path) -> None:
    registry = two_snapshots(root)
    for text in (b"[" * DEEP, b'{"a":' * DEEP, b"[" * DEEP + b"]" * DEEP):
        sealed = b'{"schema_version":1,"sha256":"","snapshot":' + text + b"}"
        for data in (text, b'{"schema_version":1,"x":' + text + b"}", sealed):
            second(root, RECORD_NAME).write_bytes(data)
            assert load_best(CheckpointRegistry(root)) == 1.0
            (root / "manifest.json").write_bytes(data)
            save(registry, 0.5)
            (root / "w").write_bytes(len(data).to_bytes(8, "little") + data)
            refused(lambda: load_arrays(root / "w"))


def deep_toml(root: Path) -> None:
    directory = RunDirectory(root)
    directory.begin_run({})
    directory.end_run()
    for text in (b"a = " + b"[" * DEEP, b"a = " + b"{a=" * DEEP, b"a." * DEEP + b"a = 1"):
        (root / "run.toml").write_bytes(text)
        refused(directory.read_asked)


def fill(path: Path, beginning: bytes, megabytes: int) -> None:
    with path.open("wb") as file:
        file.write(beginning)
        for _ in range(megabytes):
            file.write(b" " * MEGABYTE)


def large_text(root: Path) -> None:
    registry = two_snapshots(root)
    fill(root / "manifest.json", b'{"schema_version":1,', 100)
    fill(second(root, RECORD_NAME), b"{", 100)
    assert load_best(registry) == 1.0
    assert scores(registry) == [1.0]
    save(registry, 3.0)
    fill(root / "run.toml", b"a = 1\n", 100)
    refused(RunDirectory(root).read_asked)


def slow_toml(root: Path) -> None:
    """What fits under the cap of other files would keep a parser of TOML busy for minutes."""
    with (root / "run.toml").open("wb") as file:
        for number in range(0, 1_000_000, 1000):
            file.write(b"".join(b"a%d = 1\n" % n for n in range(number, number + 1000)))
    refused(RunDirectory(root).read_asked)


def long_journal_lines(root: Path) -> None:
    journal = Journal(root / "events.jsonl")
    journal.append("first")
    journal.close()
    with journal.path.open("ab") as file:
        for filling in (b"x" * MEGABYTE, b"[" * MEGABYTE):
            file.write(b'{"event":"')
            for _ in range(50):
                file.write(filling)
            file.write(b"\n")
        file.write(b'{"event":"deep","x":' + b"[" * DEEP + b"]" * DEEP + b"}\n")
    journal.append("last")
    assert [event["event"] for event in journal.read()][:: len([*journal.read()]) - 1] == [
        "first",
        "last",
    ]


def nested_folders(root: Path) -> None:
    """Folders deeper than a recursion may go, in a snapshot that is to be pruned."""
    registry = two_snapshots(root)
    handle = os.open(root / "snapshot-000001", os.O_RDONLY)
    for _ in range(1100):
        os.mkdir("d", dir_fd=handle)
        inner = os.open("d", os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = inner
    os.close(handle)
    assert load_best(registry) == 2.0
    small = CheckpointRegistry(root, max_snapshots=1)
    for score in (3.0, 4.0):
        save(small, score)
    assert scores(small) == [4.0]


def resealed_record(root: Path) -> None:
    """A right checksum over a list of files that no directory holds."""
    registry = two_snapshots(root)
    path = second(root, RECORD_NAME)
    record = decode_record(path.read_bytes(), "it")
    files = tuple(StoredFile(f"f{number}", 1 << 60, "0" * 64) for number in range(50_000))
    path.write_bytes(encode_record(msgspec.structs.replace(record, files=files)))
    assert load_best(registry) == 1.0


def limit_memory() -> None:
    """Address space beyond what is mapped now: twice what may become resident."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    address_space = pages * resource.getpagesize() + 2 * MAX_RESIDENT_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (address_space, address_space))


def limit_cpu() -> None:
    """The kernel kills this process where the next bomb takes longer, rounded to a second."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    allowed = math.ceil(used.ru_utime + used.ru_stime) + MAX_CPU_S
    resource.setrlimit(resource.RLIMIT_CPU, (allowed, resource.RLIM_INFINITY))


def explode(bomb: Callable[[Path], None]) -> None:
    root = Path(tempfile.mkdtemp())
    try:
        limit_cpu()
        bomb(root)
    finally:
        # Python's own rmtree is not a match for what is nested here.
        subprocess.run(["/bin/rm", "-rf", str(root)], check=True)
    # Not ru_maxrss, into which a child inherits what its parent took.
    status = Path("/proc/self/status").read_text()
    peak = 1024 * int(status.partition("VmHWM:")[2].split()[0])
    assert peak < MAX_RESIDENT_BYTES, f"{bomb.__name__}: {peak} bytes"


BOMBS = (
    gigabyte_that_is_not_there,
    terabyte_of_holes,
    snapshot_that_swelled,
    zip_in_the_place_of_weights,
    deep_json,
    deep_toml,
    large_text,
    slow_toml,
    long_journal_lines,
    nested_folders,
    resealed_record,
)

if __name__ == "__main__":
    limit_memory()
    for each in BOMBS:
        explode(each)
        sys.stdout.write(f"{each.__name__}\n")
