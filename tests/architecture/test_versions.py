"""What members ask of each other is what they are; inside the workspace uv ignores the ranges."""

import re
import tomllib
from importlib.metadata import version

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from .tree import MEMBERS, ROOT, Member

VERSIONS = {member.name: Version(member.project["version"]) for member in MEMBERS}

INTERNAL = [
    (member, requirement)
    for member in MEMBERS
    for requirement in map(Requirement, member.project["dependencies"])
    if requirement.name in VERSIONS
]


def promised_range(current: Version) -> tuple[str, str]:
    """The floor and ceiling a dependent states: same minor before 1.0, same major after."""
    floor = f"{current.major}.{current.minor}"
    if current.major == 0:
        return floor, f"0.{current.minor + 1}"
    return floor, str(current.major + 1)


@pytest.mark.parametrize(
    ("member", "requirement"),
    INTERNAL,
    ids=[f"{member.name} on {requirement.name}" for member, requirement in INTERNAL],
)
def test_range_between_members_holds_the_current_version(
    member: Member, requirement: Requirement
) -> None:
    stated = {clause.operator: clause.version for clause in requirement.specifier}
    floor, ceiling = promised_range(VERSIONS[requirement.name])
    assert stated == {">=": floor, "<": ceiling}


@pytest.mark.parametrize("member", MEMBERS, ids=lambda member: member.name)
def test_members_take_each_other_from_the_workspace(member: Member) -> None:
    text = (member.path / "pyproject.toml").read_text("utf-8")
    sources = tomllib.loads(text).get("tool", {}).get("uv", {}).get("sources", {})
    internal = {requirement.name for dependent, requirement in INTERNAL if dependent == member}
    assert sources == {name: {"workspace": True} for name in internal}


@pytest.mark.parametrize("member", MEMBERS, ids=lambda member: member.name)
def test_version_is_installed_and_heads_the_changelog(member: Member) -> None:
    stated = member.project["version"]
    assert version(member.name) == stated
    changelog = (member.path / "CHANGELOG.md").read_text("utf-8")
    headings = re.findall(r"^## (\S+)", changelog, re.MULTILINE)
    assert headings[0] == stated


@pytest.mark.parametrize("member", MEMBERS, ids=lambda member: member.name)
def test_third_party_requirements_are_floors(member: Member) -> None:
    for requirement in map(Requirement, member.project["dependencies"]):
        if requirement.name in VERSIONS:
            continue
        operators = {clause.operator for clause in requirement.specifier}
        assert ">=" in operators, f"{requirement} states no floor"
        assert operators <= {">=", "!="}, f"{requirement} has a ceiling; a comment must say why"


def test_the_workspace_installs_every_member() -> None:
    workspace = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert set(workspace["project"]["dependencies"]) == set(VERSIONS)


def test_no_lock_with_addresses_is_kept() -> None:
    assert "uv.lock" in (ROOT / ".gitignore").read_text("utf-8").splitlines()
