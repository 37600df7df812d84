"""S09: exactly once within a connection, at most once across, at least once with `seek`."""

from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from optix_core import EpisodeData, RLOptimizer, RunReport
from optix_core.testing import FakeStatefulAgent
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


class Noting(FakeStatefulAgent):
    """Notes which items it learns from."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.noted: list[int] = []

    def learn(self, episode_data: EpisodeData) -> dict[str, Any]:
        diagnostics = super().learn(episode_data)
        self.noted += numbers([episode_data])
        return diagnostics


@pytest.mark.parametrize("can_seek", [True, False])
def test_a_run_that_resumes_goes_on_behind_its_last_window(
    tmp_path: Path, *, can_seek: bool
) -> None:
    def run(agent: Noting, port: int, *, resume: bool) -> RunReport:
        source = source_of("tcp", port)
        pipeline = LivePipeline(source if can_seek else NoWayBack(source), every_n_steps=20)
        settings: dict[str, Any] = {"max_episodes": 15, "seed": 0, "checkpoint_dir": tmp_path}
        return RLOptimizer(agent, pipeline, resume=resume, **settings).run()

    dying, going_on = Noting(raise_at={"learn": 8}, error=KeyboardInterrupt()), Noting()
    with FeedProcess(replays=can_seek) as feed:
        with pytest.raises(KeyboardInterrupt):
            run(dying, feed.port, resume=False)
        feed.kill()
        feed.restart(start=1000)
        report = run(going_on, feed.port, resume=True)
    assert report.windows == 15
    assert dying.noted == list(range(140))
    first = going_on.noted[0]
    assert going_on.noted == list(range(first, first + len(going_on.noted)))
    if can_seek:  # what was in no saved state is read again, and nothing is missing
        assert first <= 140
        assert going_on.noted[-1] == 299
    else:
        assert first == 1000
        assert "has no seek(offset)" in (tmp_path / "events.jsonl").read_text("utf-8")


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
