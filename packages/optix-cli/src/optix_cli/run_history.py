"""One run as its journal tells it, whether it ended, failed, or was killed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast, final

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
    promotions: tuple[Event, ...] = ()
    """One event a policy that was tried for the best."""
    spawned: tuple[Event, ...] = ()
    """One event a variant."""
    rounds_started: tuple[Event, ...] = ()
    """One event a round after the first."""
    ensemble: Event | None = None
    """The ensemble as the run left it; None for a run without one."""
    ensemble_selected: Event | None = None
    """Who acts in it, chosen on fresh episodes; None where weights follow the scores."""
    ensemble_saved: Event | None = None
    """Where the ensemble was saved, and what its members were set to."""
    ensemble_tested: Event | None = None
    """The test of the ensemble."""

    @property
    def asked(self) -> Mapping[str, Mapping[str, Any]]:
        """What was asked for, by section; without what is no section in a damaged journal."""
        asked: object = self.started.get("asked")
        if not isinstance(asked, Mapping):
            return {}
        sections = cast("Mapping[str, object]", asked).items()
        return {
            name: cast("Mapping[str, Any]", section)
            for name, section in sections
            if isinstance(section, Mapping)
        }

    @property
    def scores(self) -> list[float]:
        """Scores of the evaluations that have one, oldest first."""
        return [event["score"] for event in self.windows if event.get("score") is not None]

    def member_hyperparams(self, snapshot_id: str) -> list[Mapping[str, Any]]:
        """Hyperparameters of each member of a saved ensemble; none where they are not told."""
        saved = self.ensemble_saved
        if saved is None or saved.get("snapshot") != snapshot_id:
            return []
        told: object = saved.get("hyperparams")
        members = cast("list[object]", told) if isinstance(told, list) else []
        return [
            cast("Mapping[str, Any]", member) if isinstance(member, Mapping) else {}
            for member in members
        ]

    @property
    def best(self) -> Event | None:
        """The last event that tells of a best policy, in fields `best_…`; earlier versions' do not.

        What the policy is held to score may be another number than its window's score.
        """
        told = [*self.windows, *([] if self.stopped is None else [self.stopped])]
        return next((e for e in reversed(told) if e.get("best_window") is not None), None)

    @property
    def best_window(self) -> Event | None:
        """The window that the best policy played, as far as the journal goes."""
        if self.best is not None:
            number = self.best["best_window"]
            return next((event for event in self.windows if event.get("window") == number), None)
        best = self.windows[-1].get("best") if self.windows else None
        if best is None:
            return None
        return next(event for event in self.windows if event.get("best") == best)


def runs_of(events: Iterable[Event]) -> list[RunHistory]:
    """Gather the events of each run of a journal, in the order in which the runs began.

    An event belongs to the run whose number it carries; one without a number belongs to none.
    """
    found: dict[int, list[Event]] = {}
    for event in events:
        run_id = event.get("run")
        if isinstance(run_id, int):
            found.setdefault(run_id, []).append(event)
    runs = [_gather(run_id, of_run) for run_id, of_run in found.items()]
    return [run for run in runs if run is not None]


def _gather(run_id: int, events: Iterable[Event]) -> RunHistory | None:
    by_kind: dict[str, list[Event]] = {}
    for event in events:
        by_kind.setdefault(event["event"], []).append(event)
    if "run_started" not in by_kind:
        return None
    return RunHistory(
        run_id=run_id,
        started=by_kind["run_started"][0],
        windows=tuple(by_kind.get("window", ())),
        stopped=_last(by_kind.get("run_stopped")),
        tested=_last(by_kind.get("tested")),
        promotions=tuple(by_kind.get("promotion", ())),
        spawned=tuple(by_kind.get("spawned", ())),
        rounds_started=tuple(by_kind.get("round_started", ())),
        ensemble=_last(by_kind.get("ensemble")),
        ensemble_selected=_last(by_kind.get("ensemble_selected")),
        ensemble_saved=_last(by_kind.get("ensemble_saved")),
        ensemble_tested=_last(by_kind.get("ensemble_tested")),
    )


def _last(events: list[Event] | None) -> Event | None:
    return events[-1] if events else None
