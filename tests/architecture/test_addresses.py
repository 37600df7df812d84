"""No file names a package registry: whoever installs says where from."""

import re
import subprocess

from .tree import ROOT

REGISTRY = re.compile(r"https?://[^\s/]*(pypi|pythonhosted|npmjs|debian)", re.IGNORECASE)


def test_no_file_names_a_registry_host() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z"],  # noqa: S607 - the git that made this checkout
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    tracked = [ROOT / name for name in listed.stdout.split("\0") if name]
    assert tracked, "git lists no file here"
    found = [
        str(path)
        for path in tracked
        if path.is_file() and REGISTRY.search(path.read_bytes().decode("utf-8", "replace"))
    ]
    assert found == []
