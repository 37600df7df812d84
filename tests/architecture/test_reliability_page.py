"""Every fault that the page names a test for has one of its own name, and the reverse."""

import re

from .tree import ROOT

PAGE = ROOT / "docs" / "reliability.md"
FAULTS = ROOT / "tests" / "faults"

HEADING = re.compile(r"^### ([A-Z]\d\d(?:(?:, |-)[A-Z]\d\d)*) · \S", re.MULTILINE)
LINK = re.compile(r"\]\(\.\./tests/faults/(test_\w+\.py)\)")


def promises() -> dict[tuple[str, ...], list[str]]:
    """Names of the test files by the ids of their section's heading."""
    _, *parts = HEADING.split(PAGE.read_text("utf-8"))
    return {
        ids_of_heading(heading): LINK.findall(text.partition("\n## ")[0])
        for heading, text in zip(parts[::2], parts[1::2], strict=True)
    }


def ids_of_heading(heading: str) -> tuple[str, ...]:
    """The ids of "L01-L02", a range, or of "S02, S07", a list."""
    first, _, last = heading.partition("-")
    if last:
        return tuple(
            f"{first[0]}{number:02d}" for number in range(int(first[1:]), int(last[1:]) + 1)
        )
    return tuple(heading.split(", "))


def ids_of_file(name: str) -> set[str]:
    """The ids with which a test file's name begins."""
    leading = re.match(r"test_((?:[a-z]\d\d_)*)", name)
    assert leading is not None
    return set(leading[1].upper().rstrip("_").split("_")) - {""}


def test_the_page_has_every_id_once() -> None:
    ids = [fault for heading in promises() for fault in heading]
    wanted = {"C": 16, "L": 11, "S": 9, "V": 1, "H": 2, "X": 8}
    assert sorted(ids) == sorted(
        f"{letter}{number:02d}" for letter, n in wanted.items() for number in range(1, n + 1)
    )


def test_every_named_test_exists_and_bears_the_name_of_its_fault() -> None:
    for ids, files in promises().items():
        assert [name for name in files if not (FAULTS / name).is_file()] == []
        named = {fault for name in files for fault in ids_of_file(name)}
        assert not files or named >= set(ids), f"{ids} are tested by {files} alone"


def test_every_test_of_a_fault_is_on_the_page() -> None:
    on_page = {
        (name, fault) for ids, files in promises().items() for name in files for fault in ids
    }
    tests = [path.name for path in FAULTS.glob("test_*.py")]
    assert {(name, fault) for name in tests for fault in ids_of_file(name)} - on_page == set()
