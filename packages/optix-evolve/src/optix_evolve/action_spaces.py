"""The attributes of Gymnasium's spaces that combining actions asks for; Gymnasium is not needed."""

from typing import Any, Protocol, runtime_checkable

from numpy.typing import NDArray


@runtime_checkable
class BoxSpace(Protocol):
    """Real numbers within bounds, as Gymnasium's `Box`."""

    low: NDArray[Any]
    high: NDArray[Any]
    shape: tuple[int, ...]
    dtype: Any


@runtime_checkable
class MultiDiscreteSpace(Protocol):
    """Several choices at once, as Gymnasium's `MultiDiscrete`."""

    nvec: NDArray[Any]


@runtime_checkable
class CountedSpace(Protocol):
    """Choices 0 to n − 1 as Gymnasium's `Discrete`, or n yes-or-noes as its `MultiBinary`."""

    n: Any


@runtime_checkable
class OffsetSpace(Protocol):
    """A discrete space whose actions count from `start`, as Gymnasium's do."""

    start: Any


@runtime_checkable
class ShapedSpace(Protocol):
    """A space that says its shape: () for `Discrete`, something else for `MultiBinary`."""

    shape: Any


@runtime_checkable
class NestedSpace(Protocol):
    """Spaces by name or by position, as Gymnasium's `Dict` and `Tuple`."""

    spaces: Any
