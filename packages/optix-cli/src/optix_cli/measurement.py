"""What one way to combine members took."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What one way to combine members took."""

    name: str
    seconds: float
    loop_seconds: float
    """The same by a loop over members."""
    n_bytes: int = 0
    """Bytes that it has to read."""
    products: int = 0
    """Multiplications that it has to do."""
