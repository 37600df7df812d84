"""The members of the workspace and their files, as they lie on disk."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Member:
    """One package of the workspace."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def module_name(self) -> str:
        return self.name.replace("-", "_")

    @property
    def source(self) -> Path:
        return self.path / "src" / self.module_name

    @cached_property
    def project(self) -> dict[str, Any]:
        text = (self.path / "pyproject.toml").read_text("utf-8")
        return tomllib.loads(text)["project"]


MEMBERS = [Member(path.parent) for path in sorted(ROOT.glob("packages/*/pyproject.toml"))]


def shipped_files() -> Iterator[Path]:
    """Every Python file that a user installs."""
    for member in MEMBERS:
        yield from sorted(member.source.rglob("*.py"))


def in_repository(path: Path) -> str:
    """A path as it reads from the top of the repository."""
    return str(path.relative_to(ROOT))
