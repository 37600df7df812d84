"""Shows progress where there is no terminal: one line an evaluation."""

from typing import final

from rich.console import Console

from optix_cli.progress import Progress
from optix_cli.wording import duration_text, evaluation_text, score_text


def plain_line(progress: Progress) -> str:
    """Write one evaluation in a line: columns while numbers are of ordinary size."""
    rate = "" if progress.steps_per_s is None else f"{progress.steps_per_s:,.0f} steps/s"
    best = None if progress.best is None else progress.best.primary_score
    count = f"{progress.n_without_improvement}/{progress.dormant_threshold}"
    news = "improved" if progress.n_without_improvement == 0 else f"no improvement {count}"
    parts = [
        f"window {progress.windows - 1:>4}",
        f"{progress.steps:>9,} steps",
        f"{duration_text(progress.time_s):>11}",
        f"{rate:>15}",
        f"score {evaluation_text(progress.last):>15}",
        f"best {score_text(best):>7}",
        f"{progress.state.value:<7}",
        news,
    ]
    return "  ".join(parts)


@final
class PlainView:
    """Prints a line an evaluation."""

    def __init__(self, console: Console) -> None:
        """Print to this console."""
        self._console = console

    def start(self, progress: Progress) -> None:
        """Show nothing yet."""

    def show(self, progress: Progress) -> None:
        """Show nothing between evaluations."""

    def evaluated(self, progress: Progress) -> None:
        """Print the line."""
        self._console.print(plain_line(progress), markup=False, highlight=False, soft_wrap=True)

    def stop(self) -> None:
        """Leave what was printed."""
