"""One run as its journal tells it, whether it ended, failed, or was killed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, final

Event = Mapping[str, Any]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RunHistory:
    """The events of one run, sorted by kind; a kind that is missing did not happen."""

    run_id: int
    """Number of the run within its directory."""
    started: Event
    """How it was asked for."""
    windows: tuple[Event, ...]
    """One event a window."""
    stopped: Event | None
    """Its report; None where the process was killed, or still runs."""
    tested: Event | None
    """The test of its best policy, the last one where there are several."""

    @property
    def asked(self) -> Mapping[str, Mapping[str, Any]]:
        """What was asked for, by section."""
        return self.started.get("asked", {})

    @property
    def scores(self) -> list[float]:
        """Scores of the evaluations that have one, oldest first."""
        return [event["score"] for event in self.windows if event.get("score") is not None]

    @property
    def best_window(self) -> Event | None:
        """The window whose policy is the best, as far as the journal goes."""
        best = self.windows[-1].get("best") if self.windows else None
        if best is None:
            return None
        return next(event for event in self.windows if event.get("best") == best)


def last_run(events: Iterable[Event]) -> RunHistory | None:
    """Gather the events of the last run that started; None where none did."""
    found: list[Event] = []
    for event in events:
        if event.get("event") == "run_started":
            found = []
        found.append(event)
    starts = [event for event in found if event.get("event") == "run_started"]
    if not starts:
        return None
    return RunHistory(
        run_id=int(starts[0].get("run", 0)),
        started=starts[0],
        windows=tuple(_of_kind(found, "window")),
        stopped=_last_of_kind(found, "run_stopped"),
        tested=_last_of_kind(found, "tested"),
    )


def _of_kind(events: Iterable[Event], kind: str) -> list[Event]:
    return [event for event in events if event.get("event") == kind]


def _last_of_kind(events: Iterable[Event], kind: str) -> Event | None:
    found = _of_kind(events, kind)
    return found[-1] if found else None
