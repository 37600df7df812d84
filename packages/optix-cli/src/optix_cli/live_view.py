"""Shows progress in a terminal: a small panel that is redrawn in place."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import final

from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from optix_cli.progress import Progress
from optix_cli.sparkline import sparkline
from optix_cli.wording import NOTHING, clock_text, evaluation_text
from optix_core.loop_state import LoopState

REFRESH_PER_S = 4
"""Redraws a second: enough to look alive, too few to flicker."""

_CURVE_WIDTH = 32
_SCORE_WIDTH = 18
_STATE_STYLE = {
    LoopState.ACTIVE: "green",
    LoopState.COOLING: "yellow",
    LoopState.DORMANT: "cyan",
    LoopState.WATCHDOG: "magenta",
}


def live_panel(progress: Progress) -> RenderableType:
    """Draw progress: the curve of scores, the best, the pace, and how near the end is."""
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="dim", min_width=10)
    rows.add_column()
    rows.add_row("  Score", _score_row(progress))
    rows.add_row("  Best", _best_row(progress))
    rows.add_row("  Steps", _pace_row(progress))
    rows.add_row("  State", _state_row(progress))
    rows.add_row("  Patience", _patience_row(progress))
    if progress.max_steps is not None:
        rows.add_row("  Budget", _bar(progress.steps, progress.max_steps))
    return rows


def _score_row(progress: Progress) -> Text:
    if progress.last is None:
        return Text("the first window is being played", style="dim")
    # The number keeps its place while the curve grows.
    score = evaluation_text(progress.last).ljust(_SCORE_WIDTH)
    return Text.assemble(score, (sparkline(progress.scores, _CURVE_WIDTH), "cyan"))


def _best_row(progress: Progress) -> Text:
    if progress.best is None:
        return Text(NOTHING, style="dim")
    best = evaluation_text(progress.best).ljust(_SCORE_WIDTH)
    return Text.assemble((best, "bold"), (f"after {progress.best_steps:,} steps", "dim"))


def _pace_row(progress: Progress) -> Text:
    rate = "" if progress.steps_per_s is None else f"  {progress.steps_per_s:,.0f}/s"
    windows = "1 window" if progress.windows == 1 else f"{progress.windows:,} windows"
    pace = f"  in {windows}{rate}  {clock_text(progress.time_s)}"
    return Text.assemble(f"{progress.steps:,}", (pace, "dim"))


def _state_row(progress: Progress) -> Text:
    gap = progress.gap_windows
    pace = "evaluated every window" if gap == 1 else f"evaluated every {gap} windows"
    style = _STATE_STYLE[progress.state]
    return Text.assemble((progress.state.value, style), (f"  {pace}", "dim"))


def _patience_row(progress: Progress) -> RenderableType:
    count, limit = progress.n_without_improvement, progress.dormant_threshold
    row = Table.grid(padding=(0, 2))
    row.add_row(_bar(count, limit), Text(f"{count}/{limit} without improvement", style="dim"))
    return row


def _bar(completed: float, total: float) -> ProgressBar:
    return ProgressBar(
        total=total,
        completed=min(completed, total),
        width=_CURVE_WIDTH,
        complete_style="cyan",
        finished_style="cyan",
    )


@final
class LiveView:
    """Redraws the panel a few times a second while the run goes on, and clears it at the end."""

    def __init__(self, console: Console, *, clock: Callable[[], float] = time.perf_counter) -> None:
        """Draw on this console; the clock counts seconds."""
        self._clock = clock
        self._progress, self._told_at = Progress(), clock()
        self._live = Live(
            console=console,
            get_renderable=self._render,
            refresh_per_second=REFRESH_PER_S,
            transient=True,
        )

    def start(self, progress: Progress) -> None:
        """Begin to draw."""
        self.show(progress)
        self._live.start()

    def show(self, progress: Progress) -> None:
        """Draw this from the next redraw on."""
        self._progress, self._told_at = progress, self._clock()

    def evaluated(self, progress: Progress) -> None:
        """Draw this from the next redraw on."""
        self.show(progress)

    def stop(self) -> None:
        """Clear the panel."""
        self._live.stop()

    def _render(self) -> RenderableType:
        # The clock goes on while a window is long.
        progress = self._progress
        time_s = progress.time_s + self._clock() - self._told_at
        return live_panel(replace(progress, time_s=time_s))
