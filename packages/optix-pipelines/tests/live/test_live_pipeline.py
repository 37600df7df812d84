"""LivePipeline over scripted sources: what is delivered, in which windows, and what ends it."""

import logging
import threading
from itertools import islice, pairwise
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_equal

from optix_core.episode_data import EpisodeData
from optix_core.errors import (
    ConfigurationError,
    PipelineError,
    StreamClosedError,
    StreamTimeoutError,
)
from optix_core.testing import FakeAgent, FakeClock, PipelineContract
from optix_pipelines import LivePipeline, ReconnectPolicy, WindowProgress

from .sources import AsyncSource, Listener, Log, Source, item

AT_ONCE = ReconnectPolicy(max_failures=1000, first_delay_s=1e-6, max_delay_s=1e-6)


def episodes_of(*lengths: int) -> list[Any]:
    script, number = list[Any](), 0
    for length in lengths:
        for step in range(length):
            script.append(item(number, terminated=step == length - 1))
            number += 1
    return script


class TestContract(PipelineContract):
    def make_pipeline(self) -> LivePipeline:
        return LivePipeline(Source(episodes_of(*[3, 5] * 10)))


class TestContractOfSteps(PipelineContract):
    def make_pipeline(self) -> LivePipeline:
        return LivePipeline(Source(episodes_of(*[3, 5] * 10)), every_n_steps=4)


class TestContractOfAsyncSource(PipelineContract):
    def make_pipeline(self) -> LivePipeline:
        return LivePipeline(AsyncSource(100), every_n_steps=4)


def collect(pipeline: LivePipeline) -> tuple[list[EpisodeData], PipelineError | None]:
    """All windows, and the error behind them."""
    windows = list[EpisodeData]()
    try:
        windows.extend(pipeline.episodes())
    except PipelineError as error:
        return windows, error
    finally:
        pipeline.teardown()
    return windows, None


def numbers(windows: list[EpisodeData]) -> list[int]:
    return [int(number) for window in windows for number in window.rewards]


def test_windows_end_with_the_episodes_by_default() -> None:
    script = [*episodes_of(3, 2), item(5), item(6, truncated=True), item(7)]
    windows, error = collect(LivePipeline(Source(script), FakeAgent()))
    assert [window.length for window in windows] == [3, 2, 2, 1]
    assert [window.partial for window in windows] == [False, False, False, True]
    assert [window.episode_id for window in windows] == [0, 1, 2, 3]
    assert isinstance(error, StreamClosedError)
    assert all(window.metadata["unit"] == "window" for window in windows)


def test_a_row_holds_its_own_item() -> None:
    windows, _ = collect(LivePipeline(Source([item(n) for n in range(6)]), FakeAgent()))
    (window,) = windows
    assert_equal(window.observations[:, 0], range(6))
    assert_equal(window.rewards, range(6))
    assert_equal(window.next_observations[:, 0], [1, 2, 3, 4, 5, 5])
    assert_equal(window.metadata["successor_known"], [True] * 5 + [False])
    assert [info["number"] for info in window.infos] == list(range(6))


def test_a_source_may_reuse_its_observation() -> None:
    observation = np.zeros(1)

    class Reusing:
        def stream(self) -> Any:
            for number in range(5):
                observation[0] = number
                yield observation, 0.0, False, False, {}
            raise StreamClosedError("over")

    windows, _ = collect(LivePipeline(Reusing(), FakeAgent()))
    assert_equal(windows[0].observations[:, 0], range(5))


def test_the_agent_sees_every_observation_and_its_action_goes_back() -> None:
    seen = list[float]()

    class Watcher(FakeAgent):
        def act(self, observation: Any) -> Any:
            seen.append(observation[0])
            return observation[0] * 10

    source = Listener([item(n) for n in range(4)])
    windows, _ = collect(LivePipeline(source, Watcher()))
    assert seen == [0, 1, 2, 3]
    assert source.actions == [0, 10, 20, 30]
    assert_equal(windows[0].actions, [0, 10, 20, 30])
    assert windows[0].metadata["actions_unsent"] == 0


def test_an_action_that_meets_a_lost_connection_is_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    source = Listener([item(n) for n in range(3)], error=BrokenPipeError("gone"))
    windows, _ = collect(LivePipeline(source, FakeAgent()))
    assert windows[0].metadata["actions_unsent"] == 3
    assert [record.message.partition(":")[0] for record in caplog.records] == [
        "actions do not reach Listener"
    ]


def test_an_error_of_send_has_its_cause() -> None:
    mistake = KeyError("price")
    _, error = collect(LivePipeline(Listener([item(0)], error=mistake), FakeAgent()))
    assert isinstance(error, PipelineError)
    assert error.__cause__ is mistake


def test_an_action_for_an_item_of_a_lost_connection_goes_nowhere() -> None:
    opened_again = threading.Event()
    source = Listener([item(0), item(1)], [opened_again.set, item(2)])

    class Late(FakeAgent):
        def act(self, observation: Any) -> Any:
            opened_again.wait(10.0)
            return int(observation[0])

    pipeline = LivePipeline(source, Late(), every_n_steps=3, reconnect=AT_ONCE)
    windows, _ = collect(pipeline)
    assert source.actions == [2]
    assert windows[0].metadata["actions_unsent"] == 2


def test_a_lost_connection_cuts_the_episode_off() -> None:
    source = Source([item(0), item(1)], [item(2), item(3), item(4)], [item(5)])
    windows, _ = collect(LivePipeline(source, FakeAgent(), every_n_steps=4, reconnect=AT_ONCE))
    assert numbers(windows) == list(range(6))
    assert_equal(windows[0].truncated, [False, True, False, False])
    assert_equal(windows[0].next_observations[:, 0], [1, 1, 3, 4])
    assert_equal(windows[1].truncated, [True, False])
    assert [window.metadata["gaps"] for window in windows] == [1, 1]
    assert [window.partial for window in windows] == [False, True]


def test_an_episode_that_a_lost_connection_ends_is_partial() -> None:
    source = Source([item(0), item(1)], [item(2), item(3, terminated=True)])
    windows, _ = collect(LivePipeline(source, FakeAgent(), reconnect=AT_ONCE))
    assert [window.length for window in windows] == [2, 2]
    assert [window.partial for window in windows] == [True, False]


def test_returns_do_not_count_across_a_lost_connection() -> None:
    source = Source([item(5), item(6)], [item(7, terminated=True)])
    windows, _ = collect(LivePipeline(source, FakeAgent(), every_n_steps=2, reconnect=AT_ONCE))
    assert_equal(windows[1].episode_returns, [7.0])


def test_a_source_that_can_go_back_loses_nothing() -> None:
    rng = np.random.default_rng(3)
    log = Log(500, iter(lambda: int(rng.integers(0, 9)), -1))
    windows, error = collect(LivePipeline(log, FakeAgent(), every_n_steps=20, reconnect=AT_ONCE))
    assert numbers(windows) == list(range(500))
    assert isinstance(error, StreamClosedError)
    assert not any(window.metadata["gaps"] for window in windows)
    assert len(log.sought) > 50


def test_another_process_goes_on_behind_the_last_window() -> None:
    first = LivePipeline(Log(100, iter([100])), FakeAgent(), every_n_steps=8, buffer_size=16)
    windows = list(islice(first.episodes(), 3))
    state = first.state_dict()
    first.teardown()
    second = LivePipeline(Log(100, iter([100, 1])), FakeAgent(), every_n_steps=8)
    second.load_state_dict(state)
    assert not second.losses
    rest, _ = collect(second)
    assert numbers([*windows, *rest]) == list(range(100))
    assert rest[0].episode_id == 3
    assert_equal(rest[0].returns_before, [sum(range(24))])


def test_a_source_that_cannot_go_back_says_what_is_lost() -> None:
    pipeline = LivePipeline(Source([item(0)]), FakeAgent())
    pipeline.load_state_dict({"offset": 40, "window_id": 5, "return": 3.0})
    windows, _ = collect(pipeline)
    assert pipeline.losses == ("Source has no seek(offset): what it sent since window 4 is lost",)
    assert windows[0].metadata["next_offset"] == 41
    assert_equal(windows[0].returns_before, [0.0])


def test_state_is_loaded_before_reading_begins() -> None:
    pipeline = LivePipeline(Source([item(0)] * 9), FakeAgent(), every_n_steps=1)
    next(pipeline.episodes())
    with pytest.raises(PipelineError, match="before the first window"):
        pipeline.load_state_dict(pipeline.state_dict())
    pipeline.teardown()


@pytest.mark.parametrize("when_full", ["drop_oldest", "drop_newest"])
def test_a_declared_drop_policy_counts_what_it_drops(when_full: str) -> None:
    handed_over, resumed = threading.Event(), threading.Event()
    script = [item(0), *[item(n) for n in range(1, 8)], handed_over.set, resumed.wait, item(8)]

    class Slow(FakeAgent):
        def act(self, observation: Any) -> Any:
            handed_over.wait(10.0)
            return 0

    source = Source(script, then_ends=False)
    pipeline = LivePipeline(
        source,
        Slow(),
        buffer_size=3,
        when_full=when_full,
        episode_boundary_fn=lambda progress: bool(resumed.set()) or progress.info["number"] == 8,
    )
    window = next(pipeline.episodes())
    pipeline.teardown()
    kept = numbers([window])
    assert kept[-1] == 8
    assert window.metadata["dropped"] == 9 - len(kept) > 0
    jumps = [following != number + 1 for number, following in pairwise(kept)]
    assert_equal(~window.metadata["successor_known"][:-1], jumps)
    assert_equal(window.next_observations[:-1], window.observations[1:])


def test_an_interval_fires_while_the_source_is_silent() -> None:
    clock = FakeClock(tick_s=5.0)
    source = Source([item(0), item(1)], then_ends=False)
    pipeline = LivePipeline(source, FakeAgent(), every_n_seconds=30, timer=clock, reconnect=AT_ONCE)
    window = next(pipeline.episodes())
    pipeline.teardown()
    assert window.length == 2
    assert not window.partial
    assert clock.now >= 30.0


def test_an_empty_interval_is_no_window() -> None:
    source = Source([], then_ends=False)
    clock = FakeClock(tick_s=1e6)
    pipeline = LivePipeline(source, FakeAgent(), every_n_seconds=1, timer=clock, reconnect=AT_ONCE)
    windows = list[EpisodeData]()
    consumer = threading.Thread(target=lambda: windows.extend(pipeline.episodes()))
    consumer.start()
    assert source.is_waiting.wait(10.0)
    pipeline.stop()
    consumer.join(10.0)
    pipeline.teardown()
    assert windows == []


def test_a_boundary_of_the_users_own_sees_the_progress() -> None:
    seen = list[WindowProgress]()

    def boundary(progress: WindowProgress) -> bool:
        seen.append(progress)
        return progress.info["number"] % 3 == 2

    pipeline = LivePipeline(Source([item(n) for n in range(7)]), FakeAgent(), boundary)
    windows, _ = collect(pipeline)
    assert [window.length for window in windows] == [3, 3, 1]
    assert {progress.n_rows for progress in seen} == {1, 2, 3}


def test_the_documented_boundaries() -> None:
    script = [item(n) for n in range(7)]
    windows, _ = collect(LivePipeline(Source(script), FakeAgent(), LivePipeline.every_n_steps(3)))
    assert [window.length for window in windows] == [3, 3, 1]
    timer = FakeClock(tick_s=1.0)
    pipeline = LivePipeline(
        Source(script), FakeAgent(), LivePipeline.every_n_seconds(1000), timer=timer
    )
    windows, _ = collect(pipeline)
    assert [window.length for window in windows] == [7]


def test_the_source_is_given_up_with_the_last_cause() -> None:
    mistakes = [ValueError(str(n)) for n in range(5)]
    source = Source(*[[error] for error in mistakes])
    policy = ReconnectPolicy(first_delay_s=1e-6, max_delay_s=1e-6)
    windows, error = collect(LivePipeline(source, FakeAgent(), reconnect=policy))
    assert (windows, source.opened) == ([], 5)
    assert type(error) is PipelineError
    assert error.__cause__ is mistakes[-1]
    assert "5 times within 60 s" in str(error)


def test_an_error_is_told_again_to_who_asks_again() -> None:
    pipeline = LivePipeline(Source([item(0)]), FakeAgent(), every_n_steps=1)
    next(pipeline.episodes())
    for _ in range(2):
        with pytest.raises(StreamClosedError):
            next(pipeline.episodes())
    pipeline.teardown()


def test_a_source_may_be_silent_for_so_long_only() -> None:
    source = Source([item(0)], then_ends=False)
    pipeline = LivePipeline(
        source, FakeAgent(), silence_limit_s=3.0, timer=FakeClock(tick_s=0.5), reconnect=AT_ONCE
    )
    windows, error = collect(pipeline)
    assert [(window.length, window.partial) for window in windows] == [(1, True)]
    assert isinstance(error, StreamTimeoutError)
    assert "after 1 items" in str(error)


def test_an_error_of_the_agent_drops_the_rows_and_no_more() -> None:
    agent = FakeAgent(raise_at={"act": 3})
    pipeline = LivePipeline(Source([item(n) for n in range(8)]), agent, every_n_steps=4)
    with pytest.raises(RuntimeError) as raised:
        next(pipeline.episodes())
    assert raised.value.__notes__ == ["Optix: at step 2 of window 0"]
    windows, _ = collect(pipeline)
    assert numbers(windows) == [3, 4, 5, 6, 7]
    assert windows[0].metadata["dropped"] == 0


def test_stop_delivers_the_window_in_progress() -> None:
    source = Source([item(0), item(1)], then_ends=False)
    agent = FakeAgent()
    pipeline = LivePipeline(source, agent, every_n_steps=10, reconnect=AT_ONCE)
    windows = list[EpisodeData]()
    consumer = threading.Thread(target=lambda: windows.extend(pipeline.episodes()))
    consumer.start()
    assert source.is_waiting.wait(10.0)
    while agent.calls["act"] < 2:
        consumer.join(0.001)
    pipeline.stop()
    consumer.join(10.0)
    pipeline.teardown()
    assert [(window.length, window.partial) for window in windows] == [(2, True)]
    assert source.closed.is_set()
    assert not [thread for thread in threading.enumerate() if thread.name.endswith("Source")]


def test_stop_before_the_first_window_holds() -> None:
    pipeline = LivePipeline(Source([], then_ends=False), FakeAgent())
    pipeline.stop()
    assert list(pipeline.episodes()) == []
    pipeline.teardown()


def test_setup_begins_anew() -> None:
    source = Source([item(0), item(1)], [item(2)], [item(3)])
    pipeline = LivePipeline(source, FakeAgent(), every_n_steps=1)
    assert numbers([next(pipeline.episodes())]) == [0]
    pipeline.teardown()
    with pytest.raises(PipelineError, match="closed"):
        pipeline.episodes()
    pipeline.setup()
    assert numbers([next(pipeline.episodes())]) == [2]
    pipeline.stop()
    pipeline.setup()
    assert numbers([next(pipeline.episodes())]) == [3]
    pipeline.teardown()


def test_a_source_that_ignores_close_is_named(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_go = threading.Event()

    class Deaf:
        def stream(self) -> Any:
            yield item(0)
            let_go.wait()

    monkeypatch.setattr("optix_pipelines.live.stream_reader.JOIN_S", 0.01)
    pipeline = LivePipeline(Deaf(), FakeAgent(), every_n_steps=1)
    next(pipeline.episodes())
    pipeline.teardown()
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "Deaf does not end" in record.message
    let_go.set()


def test_a_close_that_raises_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Source):
        def close(self) -> None:
            raise RuntimeError("stuck")

    pipeline = LivePipeline(Broken([item(0)]), FakeAgent(), every_n_steps=1)
    next(pipeline.episodes())
    pipeline.teardown()
    assert "close of Broken raised" in caplog.text


def test_a_stream_that_exits_the_interpreter_ends_the_pipeline() -> None:
    _, error = collect(LivePipeline(Source([SystemExit(3)]), FakeAgent()))
    assert isinstance(error, PipelineError)
    assert isinstance(error.__cause__, SystemExit)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"every_n_steps": 0}, "every_n_steps"),
        ({"every_n_seconds": -1.0}, "every_n_seconds"),
        ({"every_n_seconds": float("nan")}, "every_n_seconds"),
        ({"every_n_steps": 3, "every_n_seconds": 1.0}, "one boundary"),
        ({"buffer_size": 0}, "buffer_size"),
        ({"when_full": "explode"}, "drop_oldest"),
        ({"silence_limit_s": 0.0}, "silence_limit_s"),
    ],
)
def test_refuses_what_cannot_work(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        LivePipeline(Source(), **settings)


def test_refuses_a_source_without_stream() -> None:
    anything: Any = object()
    with pytest.raises(ConfigurationError, match="stream"):
        LivePipeline(anything)


def test_is_live() -> None:
    assert LivePipeline(Source()).is_live


def test_a_connection_that_is_just_being_opened_is_closed_too() -> None:
    opening, missed, closed = threading.Event(), threading.Event(), threading.Event()

    class Opening:
        is_open = False

        def stream(self) -> Any:
            opening.set()
            assert missed.wait(10.0)
            self.is_open = True
            closed.wait()
            yield from ()

        def close(self) -> None:
            (closed if self.is_open else missed).set()

    pipeline = LivePipeline(Opening(), FakeAgent())
    consumer = threading.Thread(target=lambda: list(pipeline.episodes()))
    consumer.start()
    assert opening.wait(10.0)
    pipeline.teardown()
    consumer.join(10.0)
    assert closed.is_set()
    assert not [thread for thread in threading.enumerate() if thread.name.endswith("Opening")]
