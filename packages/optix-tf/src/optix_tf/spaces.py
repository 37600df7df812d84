"""What is needed of observation and action spaces: attributes as Gymnasium names them."""

from typing import Any, Protocol, runtime_checkable

from numpy.typing import NDArray


@runtime_checkable
class BoxSpace(Protocol):
    """Arrays of real numbers within bounds."""

    @property
    def low(self) -> NDArray[Any]:
        """Smallest values."""
        ...

    @property
    def high(self) -> NDArray[Any]:
        """Largest values."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one array."""
        ...

    @property
    def dtype(self) -> Any:
        """Type of the numbers."""
        ...


@runtime_checkable
class DiscreteSpace(Protocol):
    """The integers start … start + n − 1."""

    @property
    def n(self) -> Any:
        """How many there are."""
        ...

    @property
    def start(self) -> Any:
        """The smallest."""
        ...


@runtime_checkable
class MultiDiscreteSpace(Protocol):
    """Arrays of integers, each with a range of its own."""

    @property
    def nvec(self) -> NDArray[Any]:
        """How many values each may take."""
        ...


@runtime_checkable
class MultiBinarySpace(Protocol):
    """Arrays of zeros and ones. Discrete spaces look the same: ask for those first."""

    @property
    def n(self) -> Any:
        """Shape, or the length of a vector."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one array."""
        ...
