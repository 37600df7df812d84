"""What is kept of a run of the study: one JSON file each, written when the run has ended."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

RUNS = Path(__file__).resolve().parent / "runs"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunKey:
    """Which run."""

    condition: str
    task: str
    start: str
    seed: int

    @property
    def path(self) -> Path:
        """Its file."""
        return RUNS / self.condition / f"{self.task}-{self.start}-{self.seed}.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """What came out of a run. Scores are the environment's returns, not normalised."""

    key: RunKey
    curve: list[tuple[int, float]]
    """(steps charged, true score of the policy that would be handed back), at each change."""
    final: float
    """Mean return of the policy handed back, on fresh greedy episodes that are not charged."""
    steps: int
    """Environment steps charged: training, validation, losers."""
    stopped_at: int | None = None
    """Steps at which the run ended by itself; None where the budget ended it."""
    reason: str = ""
    """Why it ended."""
    window_scores: list[tuple[int, float]] = field(default_factory=list[tuple[int, float]])
    """(steps, the loop's own score) of each evaluation."""
    cpu_s: float = 0.0
    """CPU seconds of the run, the uncharged measuring episodes included."""

    def save(self) -> None:
        """Write the record, whole or not at all."""
        path = self.key.path
        path.parent.mkdir(parents=True, exist_ok=True)
        staged = path.with_suffix(f".{os.getpid()}.tmp")
        staged.write_bytes(msgspec.json.encode(self))
        staged.replace(path)


def load_records() -> Iterator[RunRecord]:
    """Yield every record there is."""
    for path in sorted(RUNS.glob("*/*.json")):
        yield msgspec.json.decode(path.read_bytes(), type=RunRecord)
