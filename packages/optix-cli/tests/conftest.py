"""A directory of the user's, with a tiny agent and an environment in it, to run commands from."""

import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import gymnasium
import pytest

from optix_cli.app import main

OWN_ENVS = ("Switches-v0", "OwnCartPole-v0")
USERS_FILES = ("linear_agent.py", "own_envs.py")


@dataclass(frozen=True)
class Finished:
    """What a command came to."""

    code: int
    out: str
    err: str


RunCommand = Callable[..., Finished]


@pytest.fixture
def users_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory with `linear_agent.py` and `own_envs.py` in it."""
    for name in USERS_FILES:
        shutil.copy(Path(__file__).parent / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    for name in USERS_FILES:
        sys.modules.pop(Path(name).stem, None)
    for env_id in OWN_ENVS:
        gymnasium.registry.pop(env_id, None)


@pytest.fixture
def optix(users_directory: Path, capsys: pytest.CaptureFixture[str]) -> RunCommand:
    """Runs a command line in this process, from the user's directory."""

    def run(*tokens: str) -> Finished:
        code = main(tokens)
        captured = capsys.readouterr()
        return Finished(code, captured.out, captured.err)

    return run
