"""A window of experience: what one iteration of the loop collects."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from optix_core.errors import ContractViolationError

BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]
Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EpisodeData:
    """One window, time first; with N vectorised environments the second axis is the environment.

    Row t + 1 continues row t of the same environment unless row t ended an episode. Rows never
    share memory with the environment's buffers.

    Raises:
        ContractViolationError: if the arrays do not have the same leading shape.
    """

    observations: NDArray[Any]
    """What the agent saw; [T, ...] or [T, N, ...], object dtype for what is no array."""
    actions: NDArray[Any]
    """What it did, as `act` returned it; [T, ...] or [T, N, ...], object dtype likewise."""
    rewards: FloatArray
    """[T] or [T, N]."""
    terminated: BoolArray
    """Whether the row reached an end that belongs to the task; [T] or [T, N]."""
    truncated: BoolArray
    """Whether the row's episode was cut off, by a time limit say; [T] or [T, N]."""
    next_observations: NDArray[Any]
    """The true successor, the final observation at an episode's end; shaped as observations."""
    infos: Sequence[Mapping[str, Any]] = ()
    """What the environment told beside, one mapping a step."""
    episode_id: int = 0
    """Number of the window within its run."""
    timestamp: float = 0.0
    """When the window was complete, in seconds since the epoch; nothing depends on it."""
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What else there is to say; `unit="window"` makes the window's reward its score."""
    valid: BoolArray | None = None
    """False where a vector environment spent the step on a reset; None when every row counts."""
    returns_before: FloatArray | None = None
    """Return that each environment's episode had reached before row 0; [N], None for zeros."""
    returns_since_decision: FloatArray | None = None
    """Returns of the episodes that ended since the last decision, this window's included; set by
    the loop, None outside of it."""

    def __post_init__(self) -> None:
        """Make arrays of what was given and check that their shapes agree."""
        put = object.__setattr__
        put(self, "observations", np.asarray(self.observations))
        put(self, "actions", np.asarray(self.actions))
        put(self, "next_observations", np.asarray(self.next_observations))
        put(self, "rewards", np.asarray(self.rewards, dtype=np.float64))
        put(self, "terminated", np.asarray(self.terminated, dtype=np.bool_))
        put(self, "truncated", np.asarray(self.truncated, dtype=np.bool_))
        put(self, "metadata", dict(self.metadata))
        if self.valid is not None:
            put(self, "valid", np.asarray(self.valid, dtype=np.bool_))
        if self.returns_before is not None:
            put(
                self,
                "returns_before",
                np.asarray(self.returns_before, dtype=np.float64),
            )
        self._check_shapes()

    @property
    def dones(self) -> BoolArray:
        """Whether the row ended an episode, in whichever way; shaped as rewards."""
        return self.terminated | self.truncated

    @property
    def num_envs(self) -> int:
        """Number of environments."""
        return 1 if self.rewards.ndim == 1 else self.rewards.shape[1]

    @property
    def length(self) -> int:
        """Number of steps: valid rows of all environments."""
        return self.rewards.size if self.valid is None else int(np.count_nonzero(self.valid))

    @property
    def total_reward(self) -> float:
        """Sum of the rewards of all valid rows."""
        return float(self._valid_rewards().sum())

    @property
    def partial(self) -> bool:
        """Whether the source ended before the window was full."""
        return bool(self.metadata.get("partial", False))

    @property
    def episode_returns(self) -> FloatArray:
        """Returns of the episodes that ended in this window, counted from their resets.

        In the order in which they ended, environments in order where several end at one step.
        Empty where none ended.
        """
        returns, rows, _ = self._split_returns()
        if self.num_envs == 1:
            return returns
        # Stable, so that environments stay in order where several end at one step.
        return returns[np.argsort(rows, kind="stable")]

    @property
    def returns_by_environment(self) -> FloatArray:
        """The same returns, all of the first environment first, then those of the next.

        An order that does not depend on how long episodes lasted: where two policies play whole
        episodes on the same seeds, their returns compare in pairs.
        """
        return self._split_returns()[0]

    @property
    def returns_after(self) -> FloatArray:
        """Return that each environment's unfinished episode has reached; [N].

        It is the next window's `returns_before`.
        """
        return self._split_returns()[2]

    def _split_returns(self) -> tuple[FloatArray, NDArray[np.intp], FloatArray]:
        """Returns of ended episodes by environment, their last rows, and what is unfinished."""
        rewards, dones = self._valid_rewards(), self._columns(self.dones)
        before = np.zeros(self.num_envs) if self.returns_before is None else self.returns_before
        after = np.empty(self.num_envs)
        rows: list[NDArray[np.intp]] = []
        returns: list[FloatArray] = []
        for env in range(self.num_envs):
            column, ends = rewards[:, env], dones[:, env].nonzero()[0]
            if not len(ends):
                after[env] = before[env] + column.sum()
                continue
            cut = int(ends[-1]) + 1
            starts = np.zeros_like(ends)
            starts[1:] = ends[:-1] + 1
            ended = np.add.reduceat(column[:cut], starts)
            ended[0] += before[env]
            after[env] = column[cut:].sum()
            rows.append(ends)
            returns.append(ended)
        if not rows:
            return np.empty(0), np.empty(0, dtype=np.intp), after
        return np.concatenate(returns), np.concatenate(rows), after

    def _valid_rewards(self) -> FloatArray:
        rewards = self.rewards if self.valid is None else np.where(self.valid, self.rewards, 0.0)
        return self._columns(rewards)

    def _columns(self, array: NDArray[Scalar]) -> NDArray[Scalar]:
        return array.reshape(len(array), self.num_envs)

    def _check_shapes(self) -> None:
        shape = self.rewards.shape
        if self.rewards.ndim not in (1, 2):
            raise ContractViolationError(
                f"rewards must have shape [T] or [T, N], got {shape}; put time first"
            )
        flags = {
            "terminated": self.terminated,
            "truncated": self.truncated,
            "valid": self.valid,
        }
        for name, array in flags.items():
            if array is not None and array.shape != shape:
                raise ContractViolationError(
                    f"{name} must be shaped as rewards {shape}, got {array.shape}"
                )
        rows = {
            "observations": self.observations,
            "actions": self.actions,
            "next_observations": self.next_observations,
        }
        for name, array in rows.items():
            if array.shape[: len(shape)] != shape:
                raise ContractViolationError(
                    f"{name} must begin with the shape of rewards {shape}, got {array.shape}"
                )
        if self.returns_before is not None and self.returns_before.shape != (self.num_envs,):
            raise ContractViolationError(
                f"returns_before must have shape [{self.num_envs}], got {self.returns_before.shape}"
            )
