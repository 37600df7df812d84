"""S08: a malformed item is an error that names it, after all items before it were delivered."""

from typing import Any

import pytest

from optix_core.errors import PipelineError

from .live_scene import PATIENT, FeedProcess, collect, numbers, source_of

NAN = float("nan")
MALFORMED: dict[str, Any] = {
    "two fields": [[1.0, 2.0], 0.5],
    "NaN observation": [[1.0, NAN], 0.5, False, False, {}],
    "NaN reward": [[1.0, 2.0], NAN, False, False, {}],
    "infinite reward": [[1.0, 2.0], float("inf"), False, False, {}],
    "wrong shape": [[1.0, 2.0, 3.0, 4.0], 0.5, False, False, {}],
    "reward of text": [[1.0, 2.0], "much", False, False, {}],
    "flag of numbers": [[1.0, 2.0], 0.5, 2, False, {}],
    "info of text": [[1.0, 2.0], 0.5, False, False, "none"],
}


def test_each_kind_of_malformed_item_is_named() -> None:
    with FeedProcess(kind="market") as feed:
        for item in MALFORMED.values():
            feed.kill()
            feed.restart(odd={"40": item})
            source = source_of("tcp", feed.port)
            windows, error = collect(source, every_n_steps=15, reconnect=PATIENT)
            assert numbers(windows) == list(range(40)), item
            assert windows[-1].partial
            assert isinstance(error, PipelineError)
            assert str(error).startswith("item 40 of JsonLinesSource"), item


@pytest.mark.parametrize("kind", ["market", "robot"])
@pytest.mark.parametrize("transport", ["tcp", "websocket"])
def test_a_malformed_item_is_named_by_every_feed(transport: str, kind: str) -> None:
    odd = {"40": MALFORMED["wrong shape"]}
    with FeedProcess(kind=kind, transport=transport, odd=odd) as feed:
        source = source_of(transport, feed.port)
        windows, error = collect(source, every_n_steps=15, reconnect=PATIENT)
    assert numbers(windows) == list(range(40))
    assert "item 40" in str(error)
