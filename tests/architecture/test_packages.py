"""Each package is complete by itself, and its face names what it holds."""

import inspect
from importlib import import_module
from importlib.metadata import version
from types import ModuleType

import pytest

from .tree import MEMBERS, Member, in_repository, shipped_files

every_member = pytest.mark.parametrize("member", MEMBERS, ids=lambda member: member.name)

MAX_LINES = 400


@every_member
def test_member_has_what_a_package_needs(member: Member) -> None:
    expected = ["README.md", "CHANGELOG.md", "LICENSE", "changelog.d", "tests"]
    missing = [name for name in expected if not (member.path / name).exists()]
    assert missing == []
    assert (member.source / "py.typed").is_file()


@every_member
def test_face_lists_what_it_holds(member: Member) -> None:
    face = import_module(member.module_name)
    assert face.__version__ == version(member.name)
    assert len(set(face.__all__)) == len(face.__all__)
    assert [name for name in face.__all__ if not hasattr(face, name)] == []


@every_member
def test_every_public_object_says_what_it_does(member: Member) -> None:
    face = import_module(member.module_name)
    assert [name for name in undocumented(face) if not name.startswith("_")] == []


def undocumented(face: ModuleType) -> list[str]:
    """Public classes, functions and methods without a docstring, an inherited one included."""
    found: list[str] = []
    for name in face.__all__:
        item = getattr(face, name)
        if not (inspect.isclass(item) or inspect.isroutine(item)):
            continue
        if not inspect.getdoc(item):
            found.append(name)
        if inspect.isclass(item):
            found += [
                f"{name}.{attribute}"
                for attribute, value in vars(item).items()
                if not attribute.startswith("_")
                and (inspect.isroutine(value) or isinstance(value, property))
                and not inspect.getdoc(getattr(item, attribute))
            ]
    return found


def test_no_module_is_longer_than_a_reader_bears() -> None:
    lengths = {
        in_repository(path): len(path.read_text("utf-8").splitlines()) for path in shipped_files()
    }
    assert {path: n for path, n in lengths.items() if n > MAX_LINES} == {}


def test_no_module_is_a_drawer() -> None:
    drawers = {"utils", "util", "common", "helpers", "misc"}
    assert [in_repository(path) for path in shipped_files() if path.stem in drawers] == []
