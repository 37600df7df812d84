"""Run as a module: gives up root's rights, then meets a directory that it may read alone."""

import os
import shutil
import tempfile
from pathlib import Path

from .test_c08_read_only_directory import check_refusal, fill

NOBODY = 65534


def close_all(root: Path, mode: int) -> None:
    """Take away, or give back, the right to write of all folders and files."""
    for path in (*root.rglob("*"), root):
        path.chmod(mode | (0o100 if path.is_dir() else 0))


if __name__ == "__main__":
    if os.geteuid() == 0:
        os.setgroups([])
        os.setegid(NOBODY)
        os.seteuid(NOBODY)
    home = Path(tempfile.mkdtemp())
    try:
        fill(home / "run")
        close_all(home / "run", 0o400)
        check_refusal(home / "run", said="Permission denied")
    finally:
        close_all(home / "run", 0o600)
        shutil.rmtree(home)
