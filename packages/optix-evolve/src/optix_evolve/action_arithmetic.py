"""The one door to the averaging and voting kernels: many members' outputs become one.

Members write their outputs into rows of one array [members, ...]; stacking a list of arrays first
costs more than the arithmetic. Which implementation runs depends on sizes and arguments alone,
never on what happens to be loaded, so that the same run gives the same bits.
"""

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

_VOTE_DTYPES = frozenset({"int64", "int32", "uint8"})


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
        return self._shares32 if dtype == np.float32 else self._shares


@final
class ActionBuffer:
    """One allocation for the outputs of all members, used again at every action."""

    def __init__(self, dtype: DTypeLike = np.float32) -> None:
        self._storage = np.empty(0, dtype=dtype)

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self._storage.nbytes

    def reserve(self, *shape: int) -> NDArray[Any]:
        """Return a contiguous array of this shape, its content undefined.

        It shares memory with every array returned before. Memory grows to the largest shape.
        """
        size = int(np.prod(shape))
        if size > self._storage.size:
            self._storage = np.empty(size, dtype=self._storage.dtype)
        return self._storage[:size].reshape(shape)


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
    shares, flat = member_weights.shares_as(dtype), result.reshape(-1)
    if parallel or (rows.nbytes >= MEAN_COMPILED_FROM if compiled is None else compiled):
        from optix_evolve._kernels import averaging as kernels  # noqa: PLC0415  loads numba

        run = kernels.weighted_sum_parallel if parallel else kernels.weighted_sum
        run(rows, shares, flat)
    else:
        voters = member_weights.voters
        if voters.size < len(member_weights):
            shares, rows = shares[voters], rows[voters]
        np.dot(shares, rows, out=flat)
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
    dtype = actions.dtype if actions.dtype.name in _VOTE_DTYPES else np.dtype(np.int64)
    rows = np.ascontiguousarray(actions, dtype=dtype).reshape(len(actions), -1)
    result = np.empty(rows.shape[1], dtype=np.int64)
    if rows.size >= VOTE_COMPILED_FROM if compiled is None else compiled:
        from optix_evolve._kernels import voting as kernels  # noqa: PLC0415  loads numba

        is_valid = kernels.weighted_vote(rows, member_weights.shares, n_actions, result)
    else:
        is_valid = not rows.size or (int(rows.min()) >= 0 and int(rows.max()) < n_actions)
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
    is_single = array.dtype == np.float32
    return np.dtype(np.float32 if is_single else np.float64)


def _weights_for(outputs: NDArray[Any], weights: MemberWeights | ArrayLike) -> MemberWeights:
    member_weights = weights if isinstance(weights, MemberWeights) else MemberWeights(weights)
    if not outputs.ndim or len(outputs) != len(member_weights):
        raise ConfigurationError(
            f"outputs must have one row a member: got shape {outputs.shape} for "
            f"{len(member_weights)} weights"
        )
    return member_weights
