"""A small file system in memory, which only root can mount."""

import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def mounted(path: Path, options: str) -> Generator[Path]:
    """Mount a tmpfs with these options for as long as the context lasts."""
    path.mkdir()
    _run("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path))
    try:
        yield path
    finally:
        _run("umount", "--lazy", str(path))


def remount(path: Path, options: str) -> None:
    """Change the options of what is mounted."""
    _run("mount", "-o", f"remount,{options}", str(path))


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
