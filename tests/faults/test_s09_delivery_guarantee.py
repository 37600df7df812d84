"""S09: exactly once within a connection, at most once across, at least once with `seek`."""

from itertools import islice

import pytest

from optix_core import EpisodeData
from optix_pipelines import LivePipeline, WindowProgress

from .live_scene import PATIENT, FeedProcess, NoWayBack, numbers, pipeline_over, source_of
from .script import run_script


@pytest.mark.parametrize("kind", ["market", "robot"])
@pytest.mark.parametrize("transport", ["tcp", "websocket"])
def test_within_a_connection_every_item_comes_once(transport: str, kind: str) -> None:
    with FeedProcess(kind=kind, transport=transport, pause_s=0.0005) as feed:
        source = source_of(transport, feed.port)
        with pipeline_over(source, every_n_steps=100) as pipeline:
            windows = list(islice(pipeline.episodes(), 4))
            feed.stall()
            feed.go_on()
            windows += islice(pipeline.episodes(), 6)
    assert numbers(windows) == list(range(1000))
    assert sum(window.metadata["actions_unsent"] for window in windows) == 0


@pytest.mark.parametrize("transport", ["tcp", "websocket"])
def test_without_seek_an_item_comes_once_at_most(transport: str) -> None:
    options = {"transport": transport, "replays": False, "silent_after": 100}
    with FeedProcess(**options) as feed:
        source = NoWayBack(source_of(transport, feed.port))
        with pipeline_over(source, every_n_steps=50, reconnect=PATIENT) as pipeline:
            windows = list(islice(pipeline.episodes(), 2))
            feed.kill()
            feed.restart(start=130, silent_after=10**9)  # 30 items went by meanwhile
            windows += islice(pipeline.episodes(), 2)
    assert numbers(windows) == [*range(100), *range(130, 230)]
    assert [window.metadata["gaps"] for window in windows] == [0, 0, 1, 0]


def test_with_seek_nothing_is_lost_when_the_feed_is_killed() -> None:
    run_script("live_consumer", "kill_feeds", 3, 0)


def test_with_seek_nothing_is_lost_when_the_consumer_is_killed() -> None:
    run_script("live_consumer", "kill_consumers", 5, 0)


@pytest.mark.slow
def test_nothing_is_lost_in_200_kills_of_the_feed() -> None:
    run_script("live_consumer", "kill_feeds", 200, 1, timeout_s=600)


@pytest.mark.slow
def test_nothing_is_lost_in_200_kills_of_the_consumer() -> None:
    run_script("live_consumer", "kill_consumers", 200, 1, timeout_s=600)


def test_a_stalled_feed_loses_nothing_and_windows_end_in_time() -> None:
    with FeedProcess(pause_s=0.001) as feed:
        stalled_in: list[int] = []
        in_time = LivePipeline.every_n_seconds(0.1)

        def stalling_once(progress: WindowProgress) -> bool:
            if progress.info["number"] >= 150 and not stalled_in:
                feed.stall()
                stalled_in.append(progress.n_rows)
            return in_time(progress)

        source = source_of("tcp", feed.port)
        with pipeline_over(source, episode_boundary_fn=stalling_once) as pipeline:
            windows: list[EpisodeData] = []
            while not stalled_in:  # the last of these ends without the feed
                windows.append(next(pipeline.episodes()))
            feed.go_on()
            windows += islice(pipeline.episodes(), 2)
    came = numbers(windows)
    assert came == list(range(len(came)))
    assert not any(window.partial or window.metadata["gaps"] for window in windows)
