"""What is shown of a run: the count of evaluations, the pace, the words."""

import io
import itertools

import pytest
from rich.console import Console

from optix_cli.live_view import LiveView, live_panel
from optix_cli.loop_settings import LoopSettings
from optix_cli.plain_view import PlainView, plain_line
from optix_cli.progress import Progress, ProgressCallback
from optix_core.loop_state import LoopState

from .fakes import FakeLoop, RecordingView, scored, snapshot_of

SETTINGS = LoopSettings(n_envs=2, window_size=50)


def a_callback(view: RecordingView) -> tuple[ProgressCallback, FakeLoop]:
    seconds = itertools.count()
    callback = ProgressCallback(view, SETTINGS, clock=lambda: float(next(seconds)))
    loop = FakeLoop()
    callback.bind(loop.handle)
    callback.on_loop_start()
    return callback, loop


def play(callback: ProgressCallback, loop: FakeLoop, window: int, score: float | None) -> None:
    """Tell of a window as the loop does: first the evaluation, then what was decided."""
    loop.steps += SETTINGS.steps_per_window
    metrics = None if score is None else scored(score)
    if metrics is not None:
        loop.history.append(metrics)
    callback.on_episode_end(window, metrics)


def test_an_evaluation_is_shown_with_what_came_of_it() -> None:
    view = RecordingView()
    callback, loop = a_callback(view)
    play(callback, loop, 0, 10.0)
    callback.on_improvement(snapshot_of(scored(10.0)))
    play(callback, loop, 1, 9.0)
    play(callback, loop, 2, None)
    play(callback, loop, 3, 8.0)
    callback.on_loop_stop()

    assert view.told == [
        "start", "show", "evaluated", "show", "evaluated", "show", "show", "evaluated", "stop",
    ]  # fmt: skip
    counts = [progress.n_without_improvement for progress in view.evaluations]
    assert counts == [0, 1, 2]
    assert [progress.windows for progress in view.evaluations] == [1, 2, 4]
    assert [progress.gap_windows for progress in view.evaluations] == [1, 1, 2]
    assert view.evaluations[-1].scores == (10.0, 9.0, 8.0)
    assert view.evaluations[-1].steps == 400


def test_an_improvement_sets_the_count_back_without_showing_it_raised() -> None:
    view = RecordingView()
    callback, loop = a_callback(view)
    for window, score in enumerate([1.0, 0.5, 2.0]):
        play(callback, loop, window, score)
        if score >= 1.0:
            callback.on_improvement(snapshot_of(scored(score)))
    callback.on_loop_stop()
    assert [progress.n_without_improvement for progress in view.shown] == [0, 0, 1]
    assert [progress.n_without_improvement for progress in view.evaluations] == [0, 1, 0]
    assert view.evaluations[-1].best == scored(2.0)
    assert view.evaluations[-1].best_steps == 300


def test_the_count_begins_anew_with_a_round() -> None:
    view = RecordingView()
    callback, loop = a_callback(view)
    for window, score in enumerate([1.0, 0.5, 0.4, 0.3]):
        play(callback, loop, window, score)
        if score == 1.0:
            callback.on_improvement(snapshot_of(scored(score)))
        if window == 2:
            callback.on_dormant(window)
    callback.on_loop_stop()
    counts = [progress.n_without_improvement for progress in view.evaluations]
    assert counts == [0, 1, 2, 1]


def test_the_best_of_a_round_sets_the_count_back_and_leaves_the_runs_best() -> None:
    view = RecordingView()
    callback, loop = a_callback(view)
    play(callback, loop, 0, 9.0)
    callback.on_improvement(snapshot_of(scored(9.0)))
    callback.on_dormant(0)
    for window, (score, is_best) in enumerate([(5.0, True), (4.0, False), (6.0, True)], 1):
        play(callback, loop, window, score)
        if is_best:
            loop.round_best_snapshot = snapshot_of(scored(score))
    callback.on_loop_stop()
    assert [progress.n_without_improvement for progress in view.evaluations] == [0, 0, 1, 0]
    assert view.evaluations[-1].best == scored(9.0)


def test_the_pace_is_that_of_the_last_windows() -> None:
    view = RecordingView()
    callback, loop = a_callback(view)
    for window in range(40):
        play(callback, loop, window, None)
    assert view.shown[0].steps_per_s is None
    # The fake clock moves by a second a window, of a hundred steps.
    assert view.shown[-1].steps_per_s == pytest.approx(100.0)
    assert view.shown[-1].time_s == 40.0


def test_what_is_called_after_a_window_may_end_the_run() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    callback = ProgressCallback(RecordingView(), SETTINGS, after_window=interrupt)
    with pytest.raises(KeyboardInterrupt):
        callback.on_episode_end(0, None)


PROGRESS = Progress(
    windows=30,
    steps=61_440,
    steps_per_s=21_300.4,
    state=LoopState.COOLING,
    last=scored(487.24, 3.14),
    best=scored(500.0),
    n_without_improvement=6,
    dormant_threshold=20,
    gap_windows=3,
    scores=(20.0, 180.0, 500.0, 487.24),
    time_s=65.2,
)


def test_a_plain_line() -> None:
    assert plain_line(PROGRESS) == (
        "window   29     61,440 steps   1 min 05 s   21,300 steps/s  score     487.2 ± 3.1  "
        "best   500.0  cooling  no improvement 6/20"
    )
    first = Progress(windows=1, steps=2_048, last=scored(21.0, 2.5), best=scored(21.0), time_s=2.0)
    assert plain_line(first).endswith("active   improved")


def test_the_plain_view_prints_one_unbroken_line_an_evaluation() -> None:
    stream = io.StringIO()
    view = PlainView(Console(file=stream, width=40))
    view.start(PROGRESS)
    view.show(PROGRESS)
    view.evaluated(PROGRESS)
    view.stop()
    assert stream.getvalue() == plain_line(PROGRESS) + "\n"


def rendered(progress: Progress, width: int = 100) -> list[str]:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    with console.capture() as capture:
        console.print(live_panel(progress))
    return capture.get().splitlines()


def test_the_panel_says_what_the_line_says() -> None:
    text = "\n".join(rendered(PROGRESS))
    for word in (
        "1:05", "▁", "█", "487.2 ± 3.1", "500.0 ± 0.0", "61,440", "21,300/s",
        "cooling", "every 3 windows", "6/20",
    ):  # fmt: skip
        assert word in text


def test_the_panel_keeps_its_height_from_the_first_window_on() -> None:
    heights = {len(rendered(progress)) for progress in (Progress(), PROGRESS)}
    assert heights == {5}


def test_the_live_view_clears_what_it_drew() -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=80, height=20, force_terminal=True)
    view = LiveView(console, clock=lambda: 0.0)
    view.start(Progress())
    view.show(PROGRESS)
    view.stop()
    written = stream.getvalue()
    assert "Patience" in written
    assert written.endswith("\x1b[2K")  # the last thing it does is to erase a line
    assert "\x1b[?25h" in written  # the cursor is back
