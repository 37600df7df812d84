"""One seed, and the disjoint streams that are drawn from it."""

import secrets
from dataclasses import dataclass

import numpy as np

from optix_core.errors import ConfigurationError

_STREAMS = (
    "agent",
    "training",
    "validation",
    "test",
    "tuner",
    "evolution",
    "promotion",
    "final choice",
    "comparison",
)


@dataclass(frozen=True, slots=True)
class SeedPlan:
    """The streams of a run: children of `numpy.random.SeedSequence(seed)`, one a purpose.

    Raises:
        ConfigurationError: if the seed is negative.
    """

    seed: int
    """What everything is drawn from."""

    def __post_init__(self) -> None:
        """Refuse what SeedSequence would."""
        if self.seed < 0:
            raise ConfigurationError(f"seed cannot be negative, got {self.seed}")

    @classmethod
    def from_optional(cls, seed: int | None) -> "SeedPlan":
        """Plan with the given seed, or with one drawn from the operating system."""
        return cls(secrets.randbits(32) if seed is None else seed)

    def integer(self, stream: str) -> int:
        """One seed of a stream, the same each time, below 2**63."""
        return self.integers(stream, 1)[0]

    def integers(self, stream: str, count: int) -> list[int]:
        """`count` seeds of a stream; a longer list begins with the shorter one."""
        words = self.sequence(stream).generate_state(count, np.uint64)
        return [int(word >> np.uint64(1)) for word in words]

    def generator(self, stream: str) -> np.random.Generator:
        """A fresh generator at the beginning of a stream."""
        return np.random.default_rng(self.sequence(stream))

    def sequence(self, stream: str) -> np.random.SeedSequence:
        """The seed sequence of a stream: one of those above, in words."""
        if stream not in _STREAMS:
            raise ConfigurationError(f"unknown stream {stream!r}; known are {', '.join(_STREAMS)}")
        return np.random.SeedSequence(self.seed, spawn_key=(_STREAMS.index(stream),))


def draw_seed(rng: np.random.Generator) -> int:
    """Draw a seed below 2**31, since some simulators take no more."""
    return int(rng.integers(2**31))
