"""A component's state is read back as its type, or refused."""

from dataclasses import asdict, dataclass
from typing import Any

import pytest

from optix_core.component_state import read_state
from optix_core.errors import CheckpointCorruptError


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    name: str | None
    entries: list[Entry]


def test_what_was_written_is_read() -> None:
    state = State(name="a", entries=[Entry(score=1.0), Entry(score=2.0)])
    assert read_state(State, asdict(state), what="state") == state
    assert read_state(State, {**asdict(state), "later": 1}, what="state") == state


@pytest.mark.parametrize(
    "damaged",
    [
        {},
        {"name": None},
        {"name": 1, "entries": []},
        {"name": "a", "entries": [{"score": "1.0"}]},
        {"name": "a", "entries": {}},
    ],
)
def test_anything_else_is_refused(damaged: dict[str, Any]) -> None:
    with pytest.raises(CheckpointCorruptError, match="not a state of Tuner: "):
        read_state(State, damaged, what="state of Tuner")
