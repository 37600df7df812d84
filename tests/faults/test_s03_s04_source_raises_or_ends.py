"""S03-S04: a source that raises or ends; everything received is delivered, then the error."""

import json

import pytest

from optix_core.errors import PipelineError, StreamClosedError
from optix_pipelines import WindowProgress

from .live_scene import ONCE, FeedProcess, collect, numbers, source_of


@pytest.mark.parametrize("kind", ["market", "robot"])
@pytest.mark.parametrize("transport", ["tcp", "websocket"])
def test_an_end_comes_after_all_items(transport: str, kind: str) -> None:
    with FeedProcess(kind=kind, transport=transport, n_items=25) as feed:
        windows, error = collect(source_of(transport, feed.port), every_n_steps=10, reconnect=ONCE)
    assert numbers(windows) == list(range(25))
    assert [window.length for window in windows] == [10, 10, 5]
    assert [window.partial for window in windows] == [False, False, True]
    assert isinstance(error, StreamClosedError)
    assert isinstance(error.__cause__, StreamClosedError)
    assert "after 25 items" in str(error)


@pytest.mark.parametrize("transport", ["tcp", "websocket"])
def test_what_the_source_raises_comes_after_all_items(transport: str) -> None:
    with FeedProcess(transport=transport, odd={"15": 7}) as feed:
        source = source_of(transport, feed.port)
        windows, error = collect(source, every_n_steps=10, reconnect=ONCE)
    assert numbers(windows) == list(range(15))
    assert [window.partial for window in windows] == [False, True]
    assert type(error) is PipelineError
    assert isinstance(error.__cause__, TypeError)


def test_a_feed_that_is_killed_is_an_end_too() -> None:
    with FeedProcess(silent_after=25) as feed:
        source = source_of("tcp", feed.port)

        def kill_behind_the_last(progress: WindowProgress) -> bool:
            if progress.n_rows == 25 and feed.process.poll() is None:
                feed.kill()
            return False

        windows, error = collect(source, episode_boundary_fn=kill_behind_the_last, reconnect=ONCE)
    assert numbers(windows) == list(range(25))
    assert windows[-1].partial
    assert isinstance(error, PipelineError)
    assert error.__cause__ is not None


def test_the_note_of_the_loop_names_the_window() -> None:
    with FeedProcess(n_items=25) as feed:
        _, error = collect(source_of("tcp", feed.port), every_n_steps=10, reconnect=ONCE)
    assert json.dumps(error.__notes__) == '["Optix: at step 0 of window 3"]'
