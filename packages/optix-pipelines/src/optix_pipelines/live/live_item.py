"""One item of a live source, checked when it arrives."""

from collections.abc import Mapping
from typing import Any, NamedTuple, cast, final

import numpy as np
from numpy.typing import NDArray

from optix_core.errors import PipelineError
from optix_core.row_values import own

_FORM = "(observation, reward, terminated, truncated, info)"


class LiveItem(NamedTuple):
    """What a source handed over, copied."""

    offset: int
    """Number of the item, over all connections."""
    connection: int
    """Number of the connection that it came by."""
    observation: Any
    reward: float
    terminated: bool
    truncated: bool
    info: Mapping[str, Any]


class MalformedItemError(PipelineError):
    """An item cannot become a row."""


@final
class ItemCheck:
    """Makes items of what a source hands over; the first one decides how observations are laid out.

    Args of the constructor:
        source_name: how errors name the source.
    """

    def __init__(self, source_name: str) -> None:
        self._source_name = source_name
        self._layout: Any = None

    def __call__(self, value: Any, offset: int, connection: int) -> LiveItem:
        """Check and copy one item.

        Raises:
            MalformedItemError: if it is no tuple of five, its reward no finite number, a flag
                not True or False, info no mapping, or its observation is not finite or laid out
                otherwise than the first one.
        """
        fields = cast("tuple[Any, ...]", value)
        if not isinstance(value, tuple) or len(fields) != len(LiveItem._fields) - 2:
            raise self._malformed(offset, f"must be {_FORM}, got {value!r}")
        observation, reward, terminated, truncated, info = fields
        if not isinstance(info, Mapping):
            raise self._malformed(offset, f"has info {info!r}; it must be a dict, {{}} where empty")
        observation = own(observation)
        self._check_layout(observation, offset)
        return LiveItem(
            offset,
            connection,
            observation,
            self._number(reward, offset),
            self._flag("terminated", terminated, offset),
            self._flag("truncated", truncated, offset),
            own(info) if info else {},
        )

    def _check_layout(self, observation: Any, offset: int) -> None:
        try:
            found = _layout(observation)
        except ValueError as error:
            raise self._malformed(offset, f"has observation {observation!r}: {error}") from error
        if self._layout is None:
            self._layout = found
        elif found != self._layout:
            raise self._malformed(
                offset, f"has an observation of layout {found}; the first one has {self._layout}"
            )

    def _number(self, reward: Any, offset: int) -> float:
        if type(reward) is not float:
            column: NDArray[Any] = np.asarray(reward)
            if column.shape or column.dtype.kind not in "biuf":
                raise self._malformed(offset, f"has reward {reward!r}; it must be one number")
            reward = float(column)
        if not np.isfinite(reward):
            raise self._malformed(offset, f"has reward {reward}; it must be finite")
        return reward

    def _flag(self, name: str, flag: Any, offset: int) -> bool:
        if type(flag) is not bool and type(flag) is not np.bool_:
            raise self._malformed(offset, f"has {name} {flag!r}; it must be True or False")
        return bool(flag)

    def _malformed(self, offset: int, complaint: str) -> MalformedItemError:
        return MalformedItemError(f"item {offset} of {self._source_name} {complaint}")


def _layout(value: Any) -> Any:
    """Shapes of the arrays of an observation, nested as it is; dtypes may vary.

    Raises:
        ValueError: if a number is not finite.
    """
    if isinstance(value, Mapping):
        fields = cast("Mapping[Any, Any]", value)
        return {name: _layout(field) for name, field in fields.items()}
    if isinstance(value, tuple):
        return tuple(_layout(field) for field in cast("tuple[Any, ...]", value))
    array: NDArray[Any] = np.asarray(value)
    if array.dtype.kind in "fc" and not np.isfinite(array).all():
        raise ValueError("it is not finite")
    return array.shape if array.dtype.kind in "biufc" else type(value).__name__
