"""Combines the actions of several members into one, by the kind of action.

Floats average, integers and booleans vote, containers are combined part by part. Every rule works
place by place, so that a batch of actions [B, ...] is combined by the same code as one action.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, cast, final, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from optix_core.errors import ConfigurationError, ContractViolationError
from optix_evolve.action_arithmetic import TIE, MemberWeights, weighted_mean, weighted_vote

MAX_TALLY = 1024
"""Actions counted directly; votes over larger numbers are renumbered first."""


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


@final
class ActionCombiner:
    """Combines actions of one space, or of whatever kind they turn out to be.

    Without a space the kind is read from the actions: Python and NumPy integers and booleans vote,
    floats average (where members mix the two, all average), mappings and tuples are combined part
    by part. With a space it is explicit: `Box` averages, clips to its bounds, rounds if its dtype
    is an integer and has its dtype; `Discrete`, `MultiDiscrete` and `MultiBinary` vote at each
    place; `Dict` and `Tuple` recurse.

    Of several actions with equal weight the lowest wins. Members of weight zero are not counted,
    and their actions may be None.

    Args:
        action_space: anything with Gymnasium's attributes; None reads the kind from the actions.

    Raises:
        ConfigurationError: for a space of no known kind.
    """

    def __init__(self, action_space: object | None = None) -> None:
        _check_space(action_space)
        self._space = action_space

    @property
    def start(self) -> int:
        """The lowest action of the space; 0 without one."""
        return int(_start(self._space)) if isinstance(self._space, OffsetSpace) else 0

    def combine(self, actions: Sequence[Any], weights: MemberWeights | ArrayLike) -> Any:
        """Combine one action a member, or one batch of actions [B, ...] a member.

        Returns:
            An action of the type and dtype that the first member of weight gave, save where the
            space says otherwise.

        Raises:
            ConfigurationError: if there is not one weight an action.
            ContractViolationError: if members give different structures or shapes, an action that
                is neither a number nor an array nor a container of such, or a float that is not
                finite.
        """
        given = weights if isinstance(weights, MemberWeights) else MemberWeights(weights)
        if len(actions) != len(given):
            raise ConfigurationError(f"got {len(actions)} actions for {len(given)} weights")
        voters = given.voters
        shares = given.shares[voters]
        return _combined([actions[i] for i in voters], shares, self._space)

    def combine_probabilities(
        self, probabilities: NDArray[Any], weights: MemberWeights | ArrayLike
    ) -> NDArray[np.int64]:
        """The actions of the highest mean probability; of several, the lowest.

        Args:
            probabilities: one member a row, [members, ..., actions].
            weights: one a member.

        Returns:
            Actions, shape [...], counted from the space's `start`.

        Raises:
            ContractViolationError: for probabilities that are not finite, or not as many as the
                space has actions.
        """
        space = self._space
        if isinstance(space, CountedSpace) and probabilities.shape[-1] != int(space.n):
            raise ContractViolationError(
                f"members give {probabilities.shape[-1]} probabilities for {space.n} actions"
            )
        mean = weighted_mean(probabilities, weights)
        if not np.isfinite(mean).all():
            raise ContractViolationError("a member's action probabilities are NaN or infinite")
        return mean.argmax(axis=-1) + _start(space)


def _check_space(space: object | None) -> None:
    if isinstance(space, NestedSpace):
        for part in _parts(space).values():
            _check_space(part)
    elif space is not None and not isinstance(space, BoxSpace | MultiDiscreteSpace | CountedSpace):
        raise ConfigurationError(
            f"no rule for combining actions of {space!r}; use Box, Discrete, MultiDiscrete, "
            "MultiBinary, Dict or Tuple, or None to go by the actions"
        )


def _parts(space: NestedSpace) -> dict[Any, Any]:
    spaces: Any = space.spaces
    return dict(spaces if isinstance(spaces, Mapping) else enumerate(spaces))  # pyright: ignore[reportUnknownArgumentType]


def _combined(actions: list[Any], shares: NDArray[np.float64], space: Any) -> Any:
    first = actions[0]
    if isinstance(first, Mapping):
        return _by_key(actions, shares, space)
    if isinstance(first, tuple):
        return _by_position(actions, shares, space)
    if isinstance(space, NestedSpace):
        raise ContractViolationError(
            f"the space has parts but a member's action is {type(first).__name__}; "
            "return a dict or a tuple"
        )
    if isinstance(space, BoxSpace):
        return _box(_stacked(actions), shares, space)
    if space is None and all(type(action) is int for action in actions):
        return _vote_of_ints(cast("list[int]", actions), shares)
    stacked = _stacked(actions)
    if space is None and stacked.dtype.kind == "f":
        combined = _finite_mean(stacked, shares)
    else:
        combined = _vote(stacked, shares, space)
    return _like(first, combined.astype(stacked.dtype, copy=False))


def _by_key(actions: list[Any], shares: NDArray[np.float64], space: Any) -> dict[Any, Any]:
    keys = list(actions[0])
    if any(not isinstance(a, Mapping) or a.keys() != actions[0].keys() for a in actions):
        raise ContractViolationError(f"members must all give dicts with the keys {keys}")
    spaces = _spaces_of(space, keys)
    return {key: _combined([a[key] for a in actions], shares, spaces.get(key)) for key in keys}


def _by_position(actions: list[Any], shares: NDArray[np.float64], space: Any) -> tuple[Any, ...]:
    n = len(actions[0])
    if not all(type(a) is type(actions[0]) and len(a) == n for a in actions):
        raise ContractViolationError(f"members must all give tuples of {n} parts")
    spaces = _spaces_of(space, range(n))
    return tuple(_combined([a[i] for a in actions], shares, spaces.get(i)) for i in range(n))


def _spaces_of(space: Any, keys: Sequence[Any]) -> dict[Any, Any]:
    if space is None:
        return {}
    if not isinstance(space, NestedSpace):
        raise ContractViolationError(f"members' actions have parts, but the space is {space!r}")
    spaces = _parts(space)
    if set(spaces) != set(keys):
        raise ContractViolationError(
            f"members' actions have parts {list(keys)}, the space has {list(spaces)}"
        )
    return spaces


def _box(stacked: NDArray[Any], shares: NDArray[np.float64], space: BoxSpace) -> NDArray[Any]:
    dtype = np.dtype(space.dtype)
    depth = len(space.shape)
    if stacked.ndim - 1 < depth or stacked.shape[stacked.ndim - depth :] != tuple(space.shape):
        raise ContractViolationError(
            f"members' actions have shape {stacked.shape[1:]}, the space has {space.shape}"
        )
    mean = _finite_mean(stacked, shares)
    if dtype.kind in "iu":
        mean = np.rint(mean)
    return np.clip(mean, space.low, space.high).astype(dtype, copy=False)


def _finite_mean(stacked: NDArray[Any], shares: NDArray[np.float64]) -> NDArray[Any]:
    mean = weighted_mean(stacked, shares)
    if not (math.isfinite(mean) if not mean.ndim else np.isfinite(mean).all()):
        finite = np.isfinite(stacked).reshape(len(stacked), -1).all(axis=1)
        raise ContractViolationError(
            f"actions must be finite; {int((~finite).sum())} of {len(stacked)} members gave NaN or "
            "infinity; look at their weights, or remove them from the ensemble"
        )
    return mean


def _vote(stacked: NDArray[Any], shares: NDArray[np.float64], space: Any) -> NDArray[Any]:
    if stacked.dtype.kind not in "iub":
        raise ContractViolationError(
            f"members must choose integers or booleans here, got {stacked.dtype}"
        )
    if space is not None:
        start = _start(space)
        return weighted_vote(stacked.astype(np.int64) - start, shares, _count(space)) + start
    if not stacked.size:
        return stacked[0]
    if int(stacked.min()) >= 0 and int(stacked.max()) < MAX_TALLY:
        return weighted_vote(stacked, shares, int(stacked.max()) + 1)
    values, numbers = np.unique(stacked, return_inverse=True)
    return values[weighted_vote(numbers.reshape(stacked.shape), shares, values.size)]


def _vote_of_ints(actions: list[int], shares: NDArray[np.float64]) -> int:
    tally: dict[int, float] = {}
    for action, share in zip(actions, shares.tolist(), strict=True):
        tally[action] = tally.get(action, 0.0) + share
    most = max(tally.values())
    return min(action for action, share in tally.items() if share >= most - TIE)


def _stacked(actions: list[Any]) -> NDArray[Any]:
    arrays = [np.asarray(action) for action in actions]
    for array in arrays:
        if array.dtype.kind not in "fiub":
            raise ContractViolationError(
                f"an action must be numbers, an array, or a dict or tuple of such, got {array!r}"
            )
        if array.shape != arrays[0].shape:
            raise ContractViolationError(
                f"members give actions of shapes {arrays[0].shape} and {array.shape}"
            )
    return np.stack(arrays)


def _like(first: Any, combined: NDArray[Any]) -> Any:
    if isinstance(first, bool | int | float) and not isinstance(first, np.generic):
        return combined.item()
    return combined if combined.ndim else combined[()]


def _count(space: MultiDiscreteSpace | CountedSpace) -> int:
    if isinstance(space, MultiDiscreteSpace):
        return int(np.max(space.nvec))
    return 2 if _is_multi_binary(space) else int(space.n)


def _is_multi_binary(space: object) -> bool:
    return isinstance(space, ShapedSpace) and bool(space.shape)


def _start(space: object) -> Any:
    return space.start if isinstance(space, OffsetSpace) else 0
