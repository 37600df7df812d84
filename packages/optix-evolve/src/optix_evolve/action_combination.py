"""Combines the actions of several members into one, by the kind of action.

Floats average, integers and booleans vote, containers are combined part by part. Every rule works
place by place, so that a batch of actions [B, ...] is combined by the same code as one action.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeGuard, cast, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from optix_core.errors import ConfigurationError, ContractViolationError
from optix_evolve.action_arithmetic import TIE, MemberWeights, weighted_mean, weighted_vote
from optix_evolve.action_spaces import (
    BoxSpace,
    CountedSpace,
    MultiDiscreteSpace,
    NestedSpace,
    OffsetSpace,
    ShapedSpace,
)

_Rule = Callable[[list[Any], NDArray[np.float64]], Any]
"""Combines the voters' actions by their shares."""

_INTEGERS = (int, np.integer)

MAX_TALLY = 1024
"""Actions counted directly; votes over larger numbers are renumbered first."""


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
        self._rule = _rule_for(action_space)
        is_choice = _is_single_choice(action_space)
        self._n_actions = int(action_space.n) if is_choice else None
        self._start: int = _start(action_space) if is_choice else 0

    @property
    def start(self) -> int:
        """The lowest action of a `Discrete` space; 0 for any other and without one."""
        return self._start

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
        return self._rule([actions[i] for i in voters], shares)

    def combine_probabilities(
        self, probabilities: NDArray[Any], weights: MemberWeights | ArrayLike
    ) -> NDArray[np.int64]:
        """Each member votes for the action that it holds most probable; the weightiest wins.

        Of several with equal weight the one of the highest mean probability wins, of several of
        these the lowest. The maximum of the mean alone is no choice of anybody: where members are
        unsure of good actions, a member that is sure of a bad one decides for all of them.

        Args:
            probabilities: one member a row, [members, ..., actions].
            weights: one a member.

        Returns:
            Actions, shape [...], counted from the space's `start`.

        Raises:
            ContractViolationError: for probabilities that are not finite, or not as many as the
                space has actions.
        """
        given = probabilities.shape[-1]
        if self._n_actions is not None and given != self._n_actions:
            raise ContractViolationError(
                f"members give {given} probabilities for {self._n_actions} actions"
            )
        mean = weighted_mean(probabilities, weights)
        if not np.isfinite(mean).all():
            raise ContractViolationError("a member's action probabilities are NaN or infinite")
        given_weights = weights if isinstance(weights, MemberWeights) else MemberWeights(weights)
        choices = probabilities.argmax(axis=-1)
        tally = np.stack(
            [np.tensordot(given_weights.shares, choices == k, axes=1) for k in range(given)],
            axis=-1,
        )
        leads = tally >= tally.max(axis=-1, keepdims=True) - TIE
        return np.where(leads, mean, -np.inf).argmax(axis=-1) + self._start


def _rule_for(space: object | None) -> _Rule:
    # Asking a protocol takes microseconds, so the kind of a space is found once.
    if space is None:
        return _by_kind
    if isinstance(space, NestedSpace):
        return partial(_by_part, rules={key: _rule_for(part) for key, part in _parts(space)})
    if isinstance(space, BoxSpace):
        return partial(_box, space=space)
    if isinstance(space, MultiDiscreteSpace | CountedSpace):
        return partial(_by_vote, start=_start(space), n_actions=_count(space))
    raise ConfigurationError(
        f"no rule for combining actions of {space!r}; use Box, Discrete, MultiDiscrete, "
        "MultiBinary, Dict or Tuple, or None to go by the actions"
    )


def _parts(space: NestedSpace) -> list[tuple[Any, Any]]:
    spaces = cast("Mapping[Any, Any] | Sequence[Any]", space.spaces)
    return list(spaces.items() if isinstance(spaces, Mapping) else enumerate(spaces))


def _by_kind(actions: list[Any], shares: NDArray[np.float64]) -> Any:
    first = actions[0]
    if _keys_of(first) is not None:
        return _by_part(actions, shares)
    if _are_single_integers(actions):
        return type(first)(_winner([int(action) for action in actions], shares))
    stacked = _stacked(actions)
    if stacked.dtype.kind == "f":
        combined = _finite_mean(stacked, shares)
    elif not stacked.size:
        combined = stacked[0]
    else:
        combined = _vote_of_any_integers(stacked, shares)
    return _like(first, combined.astype(stacked.dtype, copy=False))


def _by_part(
    actions: list[Any], shares: NDArray[np.float64], *, rules: Mapping[Any, _Rule] | None = None
) -> Any:
    first = actions[0]
    keys = _keys_of(first)
    if keys is None:
        raise ContractViolationError(
            f"the space has parts but a member's action is {type(first).__name__}; "
            "return a dict or a tuple"
        )
    others = [_keys_of(action) for action in actions]
    if any(other is None or set(other) != set(keys) for other in others):
        raise ContractViolationError(f"members' actions must all have the parts {keys}")
    if rules is not None and set(rules) != set(keys):
        raise ContractViolationError(
            f"members' actions have parts {keys}, the space has {list(rules)}"
        )
    combined = {
        key: (_by_kind if rules is None else rules[key])([a[key] for a in actions], shares)
        for key in keys
    }
    return tuple(combined.values()) if isinstance(first, tuple) else combined


def _keys_of(action: object) -> list[Any] | None:
    if isinstance(action, tuple):
        return list(range(len(cast("tuple[Any, ...]", action))))
    return list(cast("Mapping[Any, Any]", action)) if isinstance(action, Mapping) else None


def _by_vote(actions: list[Any], shares: NDArray[np.float64], *, start: Any, n_actions: int) -> Any:
    first = actions[0]
    if _are_single_integers(actions):
        choices = [int(action) for action in actions]
        if min(choices) < start or max(choices) >= start + n_actions:
            raise ContractViolationError(
                f"actions must be within [{start}, {start + n_actions}), got {choices}"
            )
        return type(first)(_winner(choices, shares))
    stacked = _stacked(actions)
    if stacked.dtype.kind not in "iub":
        raise ContractViolationError(
            f"members must choose integers or booleans here, got {stacked.dtype}"
        )
    chosen = weighted_vote(stacked.astype(np.int64) - start, shares, n_actions) + start
    return _like(first, chosen.astype(stacked.dtype, copy=False))


def _box(actions: list[Any], shares: NDArray[np.float64], *, space: BoxSpace) -> Any:
    stacked = _stacked(actions)
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


def _vote_of_any_integers(stacked: NDArray[Any], shares: NDArray[np.float64]) -> NDArray[Any]:
    if int(stacked.min()) >= 0 and int(stacked.max()) < MAX_TALLY:
        return weighted_vote(stacked, shares, int(stacked.max()) + 1)
    values, numbers = np.unique(stacked, return_inverse=True)
    return values[weighted_vote(numbers.reshape(stacked.shape), shares, values.size)]


def _are_single_integers(actions: list[Any]) -> bool:
    # One choice a member is what an ensemble hears at every step: no arrays for that.
    kinds: set[type[Any]] = {type(action) for action in actions}
    return len(kinds) == 1 and issubclass(kinds.pop(), _INTEGERS)


def _winner(actions: list[int], shares: NDArray[np.float64]) -> int:
    tally: dict[int, float] = {}
    for action, share in zip(actions, shares.tolist(), strict=True):
        tally[action] = tally.get(action, 0.0) + share
    least = max(tally.values()) - TIE
    return min(action for action, share in tally.items() if share >= least)


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
    return int(space.n) if _is_single_choice(space) else 2


def _is_single_choice(space: object) -> TypeGuard[CountedSpace]:
    is_array = isinstance(space, ShapedSpace) and bool(space.shape)
    return isinstance(space, CountedSpace) and not is_array


def _start(space: object) -> Any:
    start = space.start if isinstance(space, OffsetSpace) else 0
    return start if np.ndim(start) else int(start)
