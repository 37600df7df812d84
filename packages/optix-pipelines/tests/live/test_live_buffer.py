"""The buffer against a list, and between two threads."""

import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optix_core.errors import PipelineError
from optix_pipelines import WhenFull
from optix_pipelines.live.live_buffer import End, Gap, LiveBuffer
from optix_pipelines.live.live_item import LiveItem

moves = st.lists(st.sampled_from(["put", "take", "gap", "peek", "end", "stop"]), max_size=40)


def live_item(offset: int) -> LiveItem:
    return LiveItem(offset, 1, None, 0.0, terminated=False, truncated=False, info={})


class Model:
    """What a buffer does, in lists."""

    def __init__(self, capacity: int, when_full: WhenFull) -> None:
        self.capacity, self.when_full = capacity, when_full
        self.entries: list[Any] = []
        self.end: str | None = None

    def put(self, offset: int) -> bool | None:
        if self.end:
            return False
        if len(self.entries) >= self.capacity:
            if self.when_full is WhenFull.WAIT:
                return None
            if self.when_full is WhenFull.DROP_NEWEST:
                return True
            numbers = [entry for entry in self.entries if entry != "gap"]
            if numbers:
                self.entries.remove(numbers[0])
        self.entries.append(offset)
        return True

    def gap(self) -> None:
        if self.entries[-1:] != ["gap"]:
            self.entries.append("gap")

    def take(self) -> Any:
        return self.entries.pop(0) if self.entries else self.end

    def peek(self) -> Any:
        return self.entries[0] if self.entries and self.entries[0] != "gap" else None


def plain(entry: Any) -> Any:
    match entry:
        case LiveItem():
            return entry.offset
        case Gap():
            return "gap"
        case End(error):
            return "stop" if error is None else "end"
        case _:
            return None


@given(capacity=st.integers(1, 3), when_full=st.sampled_from(WhenFull), moves=moves)
def test_equals_a_list(capacity: int, when_full: WhenFull, moves: list[str]) -> None:
    buffer, model = LiveBuffer(capacity, when_full), Model(capacity, when_full)
    for offset, move in enumerate(moves):
        match move:
            case "put":
                assert buffer.put_now(live_item(offset)) is model.put(offset)
            case "take":
                assert plain(buffer.take(0.0)) == model.take()
            case "peek":
                assert plain(buffer.peek()) == model.peek()
            case "gap":
                buffer.mark_gap()
                model.gap()
            case "end":
                buffer.end(PipelineError("over"))
                model.end = model.end or "end"
            case _:
                buffer.stop()
                model.entries, model.end = [], "stop"


def test_who_waits_for_room_waits_until_there_is() -> None:
    buffer, outcomes = LiveBuffer(1, WhenFull.WAIT), list[bool]()
    buffer.put(live_item(0))
    waiting = threading.Thread(target=lambda: outcomes.append(buffer.put(live_item(1))))
    waiting.start()
    assert [plain(buffer.take(10.0)), plain(buffer.take(10.0))] == [0, 1]
    waiting.join(10.0)
    assert outcomes == [True]


@pytest.mark.parametrize("n_before", [0, 1])
def test_stop_wakes_who_waits(n_before: int) -> None:
    buffer, outcomes = LiveBuffer(1, WhenFull.WAIT), list[Any]()

    def wait() -> None:
        outcomes.append(buffer.put(live_item(1)) if n_before else plain(buffer.take(60.0)))

    for number in range(n_before):
        buffer.put(live_item(number))
    waiting = threading.Thread(target=wait)
    waiting.start()
    buffer.stop()
    waiting.join(10.0)
    assert outcomes == [False if n_before else "stop"]
