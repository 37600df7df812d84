"""Steers the step size by how much each lesson changes the policy, or its weights."""

import logging
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from optix_core.abilities import HasActionDistribution, supports
from optix_core.base_agent import BaseAgent
from optix_core.base_evaluator import numeric_diagnostics
from optix_core.episode_data import EpisodeData
from optix_core.errors import CheckpointCorruptError
from optix_core.generator_state import generator_from_state, generator_state
from optix_core.hyperparam_set import HyperparamSet
from optix_core.policy_change import PolicyChange
from optix_core.policy_probe import (
    DistributionProbe,
    Probe,
    answers_at_once,
    open_probe,
)
from optix_core.step_size import StepSize, find_step_size
from optix_core.step_size_rule import (
    HIGHEST_KL,
    LOWEST_KL,
    MOST_STEPS,
    RATIO_BAND,
    RUINOUS_RATIO,
    factor_for,
    factor_for_ratio,
    is_ruinous,
)

logger = logging.getLogger(__name__)

MAX_OBSERVATIONS = 256
"""Observations of the window that a policy is asked about."""
_KL_NAMES = ("kl", "approx_kl")
_RATIO_NAMES = ("update_ratio",)
_ACT_SHARE = 4
_LONGEST_WAIT = 16
_LONGEST_WAIT_AT_ONCE = 4
_PATIENCE = 3
_MOST_UNDONE = 8
_SMALL_KL = LOWEST_KL / 2.0


@final
class StepSizeController:
    """Holds the policy's change per `learn()` near a target, by the step size alone.

    The change is, in this order: `kl` or `approx_kl` of what `learn` returned; `update_ratio` of
    it, by what share of their length an update moved the weights, for agents whose policy tells
    little while values are being learned; the divergence of `action_distribution` before and after;
    that of actions, by `act_batch` or `act` (`policy_change` has the formulas), on at most 256
    observations of the window itself. While its change is as it should be an agent is asked ever
    more rarely, at each 4th lesson in the end; one that has to `act` on one observation at a time
    at each 16th, and about at most a quarter of the window's. No environment step is spent, no
    score is looked at. `step_size_rule` says by what factor the step size moves, `StepSize` within
    which limits.

    **When it takes effect.** What a lesson showed is put into force right before the next one, so
    that at the evaluation between them the agent still holds the value that made its policy, and a
    snapshot credits the right one.

    **Until the step size is found**, by a first change that is as it should be, by churn, or by a
    first ratio that is not too large, it may be wrong by any factor. Where the KL is too small it
    rises by up to 1.5⁴ at once. Where it is too large one lesson may ruin the policy for good:
    `after_learn` answers whether the lesson is to stand, which it is not where it changed the
    policy by a KL beyond 0.1, or the weights by a ratio beyond 0.01, ten times the aim. The caller
    puts back the weights that it kept, which it has to do while `is_watchful` alone. Eight lessons
    that were taken back, or whose KL was too small, end the search as well.

    **When it abstains**, and says so once in the log: where the domain has `probe=False` and
    `learn` returns none of these; where the agent would have to act and has more than 1 MiB of
    state to put back; where actions cannot be compared (texts, changing structure) or are
    continuous and deterministic, so that a change has no scale. A change of exactly 0 says that
    nothing was learned (a replay that is filling, an update that was skipped): it moves nothing,
    save that actions, which tell only what 1 in 256 observations shows, raise the step size from
    the third time in a row on.
    """

    def __init__(self, rng: np.random.Generator, step_param: str | None = None) -> None:
        """Steer what the agent declares, or this hyperparameter; `rng` picks observations."""
        self._rng = rng
        self._step_param = step_param
        self._start: float | None = None
        self._abstains = ""
        self._is_told: bool | None = None
        self._is_stochastic = False
        self._forget()
        self._probe: Probe | None = None

    @property
    def is_watchful(self) -> bool:
        """Whether the next lesson may be one that is to be taken back."""
        return self._undoable > 0 and not self._abstains

    def step_size(self, agent: BaseAgent) -> StepSize | None:
        """Return what is steered of this agent; None where nothing is.

        Raises:
            ConfigurationError: see `find_step_size`.
        """
        return find_step_size(agent, self._step_param)

    def before_learn(
        self, agent: BaseAgent, window: EpisodeData
    ) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Put into force what the last lesson showed, and look at the policy that will learn.

        Returns:
            Hyperparameters before and after, as read back; None where nothing changed.
        """
        step_size = self.step_size(agent)
        self._probe = None
        if step_size is None:
            return None
        change = self._put_into_force(agent, step_size, window.episode_id)
        if self._is_to_probe(agent, step_size):
            with _measuring():
                self._probe = self._open(agent, window)
        return change

    def after_learn(self, window: EpisodeData, diagnostics: Mapping[str, Any]) -> bool:
        """Conclude from a lesson by what factor the step size has to move.

        Returns:
            Whether the lesson is to stand.
        """
        probe, self._probe = self._probe, None
        kl, ratio = _told(diagnostics, _KL_NAMES), _told(diagnostics, _RATIO_NAMES)
        self._is_told = kl is not None or ratio is not None
        if kl is None and ratio is not None:
            return self._stands_by_weights(ratio)
        change = self._conclude_by(probe, window, kl)
        return change is None or not self._undoable or self._stands(change)

    def _conclude_by(
        self, probe: Probe | None, window: EpisodeData, kl: float | None
    ) -> PolicyChange | None:
        if kl is not None:
            change = PolicyChange(amount=kl)
            self._conclude(change, window, is_exact=True)
            return change
        if probe is None:
            return None
        with _measuring():
            change = probe.change()
        if change is None:
            self._abstain("its actions are of a kind whose change cannot be measured")
            return None
        self._is_stochastic = probe.is_stochastic
        self._conclude(change, window, is_exact=isinstance(probe, DistributionProbe))
        self._slow_down()
        return change

    def _stands(self, change: PolicyChange) -> bool:
        if is_ruinous(change):
            self._undoable -= 1
            return False
        if change.is_churn or LOWEST_KL <= change.amount <= HIGHEST_KL:
            self._undoable = 0
        elif 0.0 < change.amount < LOWEST_KL:
            self._undoable -= 1
        return True

    def _stands_by_weights(self, ratio: float) -> bool:
        self._factor = factor_for_ratio(ratio)
        if self._undoable and ratio > RUINOUS_RATIO:
            self._undoable -= 1
            return False
        if 0.0 < ratio <= RATIO_BAND[1]:
            self._undoable = 0
        return True

    def on_restart(self) -> None:
        """Forget what was concluded: the policy was rolled back, or another agent learns."""
        self._abstains = ""
        self._is_stochastic = False
        self._probe = None
        self._forget()

    def state_dict(self) -> dict[str, Any]:
        """Return what the next lesson depends on; between `after_learn` and `before_learn`."""
        return {
            "rng": generator_state(self._rng),
            "start": self._start,
            "abstains": self._abstains,
            "is_told": self._is_told,
            "is_stochastic": self._is_stochastic,
            "factor": self._factor,
            "undoable": self._undoable,
            "n_unchanged": self._n_unchanged,
            "wait": self._wait,
            "until_probe": self._until_probe,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put back what `state_dict` returned.

        Raises:
            CheckpointCorruptError: if something is missing.
        """
        try:
            self._rng = generator_from_state(state["rng"])
            self._start = None if state["start"] is None else float(state["start"])
            self._abstains = str(state["abstains"])
            is_told = state["is_told"]
            self._is_told = None if is_told is None else bool(is_told)
            self._is_stochastic = bool(state["is_stochastic"])
            self._factor, self._undoable = float(state["factor"]), int(state["undoable"])
            self._n_unchanged = int(state["n_unchanged"])
            self._wait, self._until_probe = int(state["wait"]), int(state["until_probe"])
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointCorruptError(f"not a state of a StepSizeController: {error}") from error

    def _forget(self) -> None:
        self._factor = 1.0
        self._undoable = _MOST_UNDONE
        self._n_unchanged = 0
        self._wait, self._until_probe = 1, 0
        self._is_slow = False

    def _put_into_force(
        self, agent: BaseAgent, step_size: StepSize, window_id: int
    ) -> tuple[dict[str, Any], dict[str, Any]] | None:
        old = agent.get_hyperparams().params
        value = old[step_size.name]
        if self._start is None:
            self._start = float(value)
        factor, self._factor = self._factor, 1.0
        if factor == 1.0:
            return None
        proposed = step_size.scaled(value, factor, start=self._start)
        if proposed == value:
            return None
        agent.set_hyperparams(HyperparamSet({**old, step_size.name: proposed}, window_id))
        new = agent.get_hyperparams().params
        return None if new == old else (old, new)

    def _is_to_probe(self, agent: BaseAgent, step_size: StepSize) -> bool:
        if self._is_told or self._abstains:
            return False
        if self._is_told is None:
            # Whether `learn` tells shows after the first lesson: until then nobody acts.
            return step_size.domain.probe and supports(agent, HasActionDistribution)
        if not step_size.domain.probe:
            reason = "is declared with probe=False and learn returns neither kl nor update_ratio"
            # The agent asked for it: nothing that its user has to be warned of.
            self._abstain(f"{step_size.name} {reason}", logging.INFO)
            return False
        self._until_probe -= 1
        return self._until_probe < 0

    def _open(self, agent: BaseAgent, window: EpisodeData) -> Probe | None:
        self._is_slow = not answers_at_once(agent)
        count = min(MAX_OBSERVATIONS, window.length)
        if self._is_slow:
            count = min(count, max(1, window.length // _ACT_SHARE))
        observations = sample_observations(window, count, self._rng)
        if not len(observations):
            return None
        probe = open_probe(agent, observations, is_stochastic=self._is_stochastic)
        if probe is None:
            self._abstain("it would have to act, and its state is too large to be put back")
        return probe

    def _conclude(self, change: PolicyChange, window: EpisodeData, *, is_exact: bool) -> None:
        self._n_unchanged = self._n_unchanged + 1 if change.amount == 0.0 else 0
        says_nothing = is_exact or self._n_unchanged < _PATIENCE
        if change.amount == 0.0 and change.error == 0.0 and says_nothing:
            self._factor = 1.0
            return
        most_up = MOST_STEPS if self._undoable else 1
        self._factor = factor_for(change, window.length, most_up=most_up)

    def _slow_down(self) -> None:
        is_settled = self._factor == 1.0 and not self._n_unchanged
        longest = _LONGEST_WAIT if self._is_slow else _LONGEST_WAIT_AT_ONCE
        self._wait = min(2 * self._wait, longest) if is_settled else 1
        self._until_probe = self._wait - 1

    def _abstain(self, reason: str, level: int = logging.WARNING) -> None:
        self._abstains = reason
        logger.log(level, "the agent's step size is left as it is: %s", reason)


def sample_observations(window: EpisodeData, count: int, rng: np.random.Generator) -> NDArray[Any]:
    """Draw observations of valid rows without replacement, in the order of time.

    Returns:
        [B, ...] with B = min(count, valid rows).
    """
    lead = window.rewards.ndim
    rows = window.observations.reshape(-1, *window.observations.shape[lead:])
    valid = (
        np.arange(len(rows)) if window.valid is None else np.flatnonzero(window.valid.reshape(-1))
    )
    chosen = rng.choice(len(valid), size=min(count, len(valid)), replace=False, shuffle=False)
    return rows[valid[np.sort(chosen)]]


@contextmanager
def _measuring() -> Generator[None]:
    try:
        yield
    except Exception as error:
        error.add_note(
            "Optix: while it measured the policy's change; an agent that cannot be asked like this "
            "declares its step size with probe=False"
        )
        raise


def _told(diagnostics: Mapping[str, Any], names: Sequence[str]) -> float | None:
    numbers = numeric_diagnostics(diagnostics)
    for name in names:
        value = numbers.get(name)
        if isinstance(value, float | int):
            # Estimates from samples may fall below 0 by chance: then the change is small, not 0,
            # and does not say how small.
            return _SMALL_KL if value < 0.0 else float(value)
    return None
