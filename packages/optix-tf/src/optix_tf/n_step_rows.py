"""Transitions over n steps, made of windows as they come."""

from collections.abc import Mapping, Sequence
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from optix_core import EpisodeData
from optix_tf.window_rows import by_environment

Rows = dict[str, NDArray[Any]]
"""Columns of equal length, by name."""

_WINDOW_COLUMNS = ("observation", "action", "reward", "terminated", "truncated", "next_observation")


@final
class NStepRows:
    """Turns each step t into (o_t, a_t, R, d, o_{t+k}): R = Σ_{i<k} γ^i r_{t+i}, d = γ^k or 0.

    k is n, or fewer where the episode ends earlier; d is what the value of o_{t+k} counts for: 0
    behind a termination, and γ^k behind a truncation, whose final observation o_{t+k} then is. The
    last n − 1 steps of an unfinished episode wait for the next window of their environment. Should
    that not continue them (its first observation is another one), they become transitions as they
    are, with the fewer steps that are known.
    """

    def __init__(self) -> None:
        """Begin with no step waiting."""
        self._waiting: list[Rows] = []

    def transitions(self, window: EpisodeData, *, n: int, gamma: float) -> Rows:
        """Return the transitions that a window completes, environment after environment.

        Args:
            window: of the same environments as before; rows that are no steps are left out.
            n: steps of a transition, ≥ 1.
            gamma: discount γ in [0, 1].

        Returns:
            `observation`, `action`, `reward` (R), `discount` (d), `next_observation`.
        """
        columns = _columns_of(window)
        if len(self._waiting) != len(columns):
            made = [_transitions(rows, n, gamma, is_cut=True)[0] for rows in self._waiting]
            self._waiting = [{} for _ in columns]
        else:
            made = []
        for i, rows in enumerate(columns):
            waiting = self._waiting[i]
            if not len(rows["reward"]):
                continue
            if waiting and not _continues(waiting, rows):
                made.append(_transitions(waiting, n, gamma, is_cut=True)[0])
                waiting = {}
            joined = {k: np.concatenate((waiting[k], rows[k])) for k in rows} if waiting else rows
            complete, self._waiting[i] = _transitions(joined, n, gamma, is_cut=False)
            made.append(complete)
        return _joined(made, columns[0])

    def state_dict(self) -> dict[str, Any]:
        """Return the steps that wait."""
        return {"waiting": [{k: v.copy() for k, v in rows.items()} for rows in self._waiting]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put back what `state_dict` returned."""
        self._waiting = [{k: np.array(v) for k, v in rows.items()} for rows in state["waiting"]]


def _columns_of(window: EpisodeData) -> list[Rows]:
    """Each environment's steps in order."""
    n_envs = window.num_envs
    shape = (len(window.rewards), n_envs)
    lead = window.rewards.ndim
    arrays = {
        "observation": window.observations,
        "action": window.actions,
        "reward": window.rewards,
        "terminated": window.terminated,
        "truncated": window.truncated,
        "next_observation": window.next_observations,
    }
    by_env = {name: array.reshape(*shape, *array.shape[lead:]) for name, array in arrays.items()}
    valid = None if window.valid is None else by_environment(window.valid)
    steps = [slice(None) if valid is None else valid[:, i] for i in range(n_envs)]
    return [{name: by_env[name][:, i][steps[i]] for name in _WINDOW_COLUMNS} for i in range(n_envs)]


def _continues(waiting: Rows, rows: Rows) -> bool:
    return np.array_equal(waiting["next_observation"][-1], rows["observation"][0])


def _transitions(rows: Rows, n: int, gamma: float, *, is_cut: bool) -> tuple[Rows, Rows]:
    """Transitions of one environment's steps, and the steps that wait for more."""
    n_rows = len(rows.get("reward", ()))
    if not n_rows:
        return {}, {}
    ended = rows["terminated"] | rows["truncated"]
    returns, discounts = np.zeros(n_rows), np.ones(n_rows)
    last = np.arange(n_rows)
    goes_on = np.ones(n_rows, np.bool_)
    for k in range(n):
        goes_on[max(n_rows - k, 0) :] = False
        steps = np.flatnonzero(goes_on)
        returns[steps] += discounts[steps] * rows["reward"][steps + k]
        discounts[steps] *= gamma
        last[steps] = steps + k
        goes_on[steps] = ~ended[steps + k]
    is_complete = ended[last] | (last - np.arange(n_rows) == n - 1) | is_cut
    made = {
        "observation": rows["observation"],
        "action": rows["action"],
        "reward": returns.astype(np.float32),
        "discount": np.where(rows["terminated"][last], 0.0, discounts).astype(np.float32),
        "next_observation": rows["next_observation"][last],
    }
    complete = {name: column[is_complete] for name, column in made.items()}
    if is_complete.all():
        return complete, {}
    return complete, {name: column[~is_complete].copy() for name, column in rows.items()}


def _joined(parts: Sequence[Rows], like: Rows) -> Rows:
    names = ("observation", "action", "reward", "discount", "next_observation")
    filled = [part for part in parts if part]
    if filled:
        return {name: np.concatenate([part[name] for part in filled]) for name in names}
    empty = {name: like[name][:0] for name in ("observation", "action", "next_observation")}
    return {**empty, "reward": np.empty(0, np.float32), "discount": np.empty(0, np.float32)}
