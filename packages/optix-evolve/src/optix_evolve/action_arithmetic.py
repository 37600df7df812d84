"""The one door to the averaging and voting kernels: many members' outputs become one.

Members write their outputs into rows of one array [members, ...]; stacking a list of arrays first
costs more than the arithmetic. Which implementation runs depends on sizes and arguments alone,
never on what happens to be loaded, so that the same run gives the same bits.
"""

from collections.abc import Callable
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from optix_core.errors import ConfigurationError, ContractViolationError

FloatArray = NDArray[np.float64]
AnyFloats = NDArray[np.floating[Any]]

MEAN_COMPILED_FROM = 300_000
"""Bytes from which the mean uses its kernel. Below, BLAS is as fast and costs no compilation;
above, the kernel is as fast or faster, allocates nothing and uses one thread."""

VOTE_COMPILED_FROM = 10_000
"""Votes, or logits, from which the kernels are used: NumPy then takes 0.1 ms or more a call."""

TIE = 1e-12
"""Difference of two shares of the votes below which they tie."""

_FEW_VOTES = 64  # up to here plain Python is faster than NumPy, 16 votes on one place 5 times

_VOTE_DTYPES = frozenset({np.dtype(np.int64), np.dtype(np.int32), np.dtype(np.uint8)})
_SINGLE, _DOUBLE = np.dtype(np.float32), np.dtype(np.float64)
_FLOATS = frozenset({_SINGLE, _DOUBLE})

_MeanInto = Callable[[AnyFloats, AnyFloats, AnyFloats], object]
"""Writes Σ sharesᵢ rowsᵢ of (rows, shares, out) to `out`."""


@final
class MemberWeights:
    """Weights of an ensemble's members, checked and normalised once for many actions.

    Weights that are all zero count as equal: nobody is preferred.

    Raises:
        ConfigurationError: unless weights are one-dimensional, finite, not negative, and at
            least one.
    """

    def __init__(self, weights: ArrayLike) -> None:
        values = np.array(weights, dtype=np.float64)
        if values.ndim != 1 or not values.size:
            raise ConfigurationError(
                f"weights must be one number a member, got shape {values.shape}"
            )
        if not (np.isfinite(values).all() and (values >= 0).all()):
            raise ConfigurationError(
                f"weights must be finite and not negative, got {values.tolist()}"
            )
        largest = values.max()
        scaled = values / largest if largest > 0 else np.ones_like(values)
        self._shares: FloatArray = scaled / scaled.sum()
        self._shares32 = self._shares.astype(np.float32)
        self._voters = np.flatnonzero(self._shares)

    def __len__(self) -> int:
        """Number of members."""
        return self._shares.size

    @property
    def shares(self) -> FloatArray:
        """Weights that sum to 1."""
        return self._shares

    @property
    def voters(self) -> NDArray[np.intp]:
        """Indices of the members whose weight is not zero: the others need not be asked."""
        return self._voters

    def shares_as(self, dtype: DTypeLike) -> AnyFloats:
        """Weights that sum to 1, as float32 or float64."""
        return self._shares32 if dtype == _SINGLE else self._shares


@final
class ActionBuffer:
    """Memory for the outputs of all members, and their mean without another check or allocation.

    Members write into rows of `outputs`, then `mean` combines them. For small actions this is
    several times as fast as `weighted_mean`, which looks at its arguments at every call.

    Args:
        weights: one a member.
        shape: of one member's output, [batch, ...].
        dtype: float32 or float64.
        compiled: True for the kernel, False for BLAS, None to choose by size.

    Raises:
        ConfigurationError: for another dtype.
    """

    def __init__(
        self,
        weights: MemberWeights,
        shape: tuple[int, ...],
        dtype: DTypeLike = np.float32,
        *,
        compiled: bool | None = None,
    ) -> None:
        if np.dtype(dtype) not in _FLOATS:
            raise ConfigurationError(f"dtype must be float32 or float64, got {np.dtype(dtype)}")
        self.outputs: AnyFloats = np.empty((len(weights), *shape), dtype=dtype)
        """One member a row, [members, batch, ...]; content undefined until written."""
        self._rows = self.outputs.reshape(len(weights), -1)
        self._mean: AnyFloats = np.empty(shape, dtype=dtype)
        self._flat = self._mean.reshape(-1)
        self._run = _mean_into(self._rows.nbytes, compiled=compiled, parallel=False)
        self.set_weights(weights)

    def set_weights(self, weights: MemberWeights) -> None:
        """Put other weights of the same members into force."""
        if len(weights) != len(self.outputs):
            raise ConfigurationError(
                f"got {len(weights)} weights for {len(self.outputs)} members; make a new buffer "
                "when members come or go"
            )
        self._shares = weights.shares_as(self.outputs.dtype)

    def mean(self) -> AnyFloats:
        """Return the weighted mean of `outputs`, in an array that the next call overwrites."""
        self._run(self._rows, self._shares, self._flat)
        return self._mean


def weighted_mean(
    outputs: NDArray[Any],
    weights: MemberWeights | ArrayLike,
    *,
    out: AnyFloats | None = None,
    compiled: bool | None = None,
    parallel: bool = False,
) -> AnyFloats:
    """Σ wᵢ outputsᵢ / Σ wᵢ. Members of weight zero are not read.

    Args:
        outputs: one member a row, [members, ...]. Contiguous float32 and float64 arrays are read
            in place; others are copied, integers to float64.
        weights: one a member.
        out: where to write, shape [...], of the dtype of the result and contiguous.
        compiled: True for the kernel, False for BLAS, None to choose by size.
        parallel: use every thread that numba may; implies the kernel. Pays from 30 MB on an idle
            machine; with other processes at work it is slower than one thread.

    Returns:
        The mean, shape [...]; `out` if that was given. Not finite where a member's output is not.

    Raises:
        ConfigurationError: if shapes do not fit.
    """
    member_weights = _weights_for(outputs, weights)
    dtype = _float_dtype(outputs)
    rows = np.ascontiguousarray(outputs, dtype=dtype).reshape(len(outputs), -1)
    result = np.empty(outputs.shape[1:], dtype=dtype) if out is None else out
    if result.shape != outputs.shape[1:] or result.dtype != dtype or not result.flags.c_contiguous:
        raise ConfigurationError(
            f"out must be a contiguous {dtype} array of shape {outputs.shape[1:]}, "
            f"got {result.dtype} of shape {result.shape}"
        )
    run = _mean_into(rows.nbytes, compiled=compiled, parallel=parallel)
    run(rows, member_weights.shares_as(dtype), result.reshape(-1))
    return result


def weighted_vote(
    actions: NDArray[Any],
    weights: MemberWeights | ArrayLike,
    n_actions: int,
    *,
    compiled: bool | None = None,
) -> NDArray[np.int64]:
    """The action of most weight at each place; of several, the lowest.

    Shares of the weight that differ by less than `TIE` count as equal, so that rounding and the
    order of members decide nothing.

    Args:
        actions: integers within [0, n_actions), one member a row, [members, ...].
        weights: one a member.
        n_actions: how many actions there are.
        compiled: True for the kernel, False for NumPy, None to choose by size.

    Returns:
        Actions, shape [...].

    Raises:
        ConfigurationError: if shapes do not fit.
        ContractViolationError: for an action that is no integer within [0, n_actions).
    """
    member_weights = _weights_for(actions, weights)
    if actions.dtype.kind not in "iub":
        raise ContractViolationError(f"votes must be integers, got {actions.dtype}")
    dtype = actions.dtype if actions.dtype in _VOTE_DTYPES else np.dtype(np.int64)
    rows = np.ascontiguousarray(actions, dtype=dtype).reshape(len(actions), -1)
    result = np.empty(rows.shape[1], dtype=np.int64)
    if rows.size >= VOTE_COMPILED_FROM if compiled is None else compiled:
        from optix_evolve._kernels import voting as kernels  # noqa: PLC0415  loads numba

        is_valid = kernels.weighted_vote(rows, member_weights.shares, n_actions, result)
    elif rows.size <= _FEW_VOTES:
        is_valid = _few_votes(rows, member_weights.shares, n_actions, result)
    else:
        is_valid = int(rows.min()) >= 0 and int(rows.max()) < n_actions
        if is_valid:
            places = rows + n_actions * np.arange(rows.shape[1])
            shares = np.repeat(member_weights.shares, rows.shape[1])
            tally = np.bincount(places.ravel(), shares, minlength=n_actions * rows.shape[1])
            tally = tally.reshape(-1, n_actions)
            result = (tally >= tally.max(axis=1, keepdims=True) - TIE).argmax(axis=1)
    if not is_valid:
        raise ContractViolationError(
            f"actions must be within [0, {n_actions}), got values from {rows.min()} to {rows.max()}"
        )
    return result.reshape(actions.shape[1:])


def mean_softmax(
    logits: NDArray[Any], weights: MemberWeights | ArrayLike, *, compiled: bool | None = None
) -> FloatArray:
    """Mean of the members' action probabilities: Σ wᵢ softmax(logitsᵢ) / Σ wᵢ.

    Args:
        logits: one member a row, [members, ..., actions]; −∞ rules an action out.
        weights: one a member. Members of weight zero are not read.
        compiled: True for the kernel, False for NumPy, None to choose by size.

    Returns:
        Probabilities, shape [..., actions].

    Raises:
        ConfigurationError: if shapes do not fit.
        ContractViolationError: for logits with NaN or +∞, or that rule every action out.
    """
    member_weights = _weights_for(logits, weights)
    dtype = _float_dtype(logits)
    if logits.ndim == 1 or not logits.shape[-1]:
        raise ConfigurationError(f"logits must be [members, ..., actions], got {logits.shape}")
    rows = np.ascontiguousarray(logits, dtype=dtype).reshape(len(logits), -1, logits.shape[-1])
    with np.errstate(all="ignore"):
        if rows.size >= VOTE_COMPILED_FROM if compiled is None else compiled:
            from optix_evolve._kernels import voting as kernels  # noqa: PLC0415  loads numba

            result = np.empty(rows.shape[1:])
            kernels.mean_softmax(rows, member_weights.shares, result)
        else:
            asked = rows[member_weights.voters].astype(np.float64)
            powers = np.exp(asked - asked.max(axis=-1, keepdims=True))
            powers /= powers.sum(axis=-1, keepdims=True)
            shares = member_weights.shares[member_weights.voters]
            result = (shares @ powers.reshape(len(shares), -1)).reshape(rows.shape[1:])
    if not np.isfinite(result).all():
        raise ContractViolationError(
            "a member's logits are NaN, infinite, or rule out every action; "
            "look at the weights of the members"
        )
    return result.reshape(logits.shape[1:])


def _float_dtype(array: NDArray[Any]) -> np.dtype[Any]:
    return _SINGLE if array.dtype == _SINGLE else _DOUBLE


def _mean_into(n_bytes: int, *, compiled: bool | None, parallel: bool) -> _MeanInto:
    if parallel or (n_bytes >= MEAN_COMPILED_FROM if compiled is None else compiled):
        from optix_evolve._kernels import averaging as kernels  # noqa: PLC0415  loads numba

        return kernels.weighted_sum_parallel if parallel else kernels.weighted_sum
    return _blas_sum


def _blas_sum(rows: AnyFloats, shares: AnyFloats, out: AnyFloats) -> None:
    if not shares.all():  # 0 · NaN is NaN: a member of weight zero must not be read
        voters = np.flatnonzero(shares)
        shares, rows = shares[voters], rows[voters]
    np.dot(shares, rows, out=out)


def _few_votes(
    rows: NDArray[Any], shares: FloatArray, n_actions: int, out: NDArray[np.int64]
) -> bool:
    """The kernel in plain Python: a few votes are counted before NumPy has begun."""
    weights: list[float] = shares.tolist()
    columns: list[list[int]] = rows.T.tolist()
    for place, column in enumerate(columns):
        tally = [0.0] * n_actions
        for action, weight in zip(column, weights, strict=True):
            if not 0 <= action < n_actions:
                return False
            tally[action] += weight
        least = max(tally) - TIE
        winner = 0
        while tally[winner] < least:
            winner += 1
        out[place] = winner
    return True


def _weights_for(outputs: NDArray[Any], weights: MemberWeights | ArrayLike) -> MemberWeights:
    member_weights = weights if isinstance(weights, MemberWeights) else MemberWeights(weights)
    if not outputs.ndim or len(outputs) != len(member_weights):
        raise ConfigurationError(
            f"outputs must have one row a member: got shape {outputs.shape} for "
            f"{len(member_weights)} weights"
        )
    return member_weights
