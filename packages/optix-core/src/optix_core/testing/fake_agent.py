"""Agents without learning: they count calls, repeat themselves, and fail on request."""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from optix_core.base_agent import BaseAgent
from optix_core.episode_data import EpisodeData
from optix_core.errors import ConfigurationError
from optix_core.hyperparam_set import HyperparamSet

_METHODS = frozenset(
    {
        "act",
        "learn",
        "get_hyperparams",
        "set_hyperparams",
        "save_weights",
        "load_weights",
    }
)


class FakeAgent(BaseAgent):
    """The six methods and nothing else: no optional ability.

    It acts at random, among `n_actions` integers by default; its one weight, `skill`, counts the
    windows that it learned from, goes to disk and comes back. Two agents of one seed do the same.

    Args of the constructor:
        hyperparams: in force at first; default `{"learning_rate": 0.1}`.
        n_actions: actions are 0 … n_actions − 1.
        draw_action: makes an action from the generator, in the place of the above.
        seed: of its own generator, `rng`.
        raise_at: method name → number of the call, from 1, at which it raises.
        error: what it raises then; default `RuntimeError`.

    Raises:
        ConfigurationError: if raise_at names no method of an agent.
    """

    def __init__(
        self,
        hyperparams: Mapping[str, Any] | None = None,
        *,
        n_actions: int = 2,
        draw_action: Callable[[np.random.Generator], Any] | None = None,
        seed: int = 0,
        raise_at: Mapping[str, int] | None = None,
        error: BaseException | None = None,
    ) -> None:
        unknown = sorted(set(raise_at or {}) - _METHODS)
        if unknown:
            raise ConfigurationError(
                f"raise_at names {', '.join(unknown)}; the methods of an agent are "
                f"{', '.join(sorted(_METHODS))}"
            )
        self.calls: Counter[str] = Counter()
        """Number of calls by method name."""
        self.skill = 0.0
        """Number of windows learned from: what `save_weights` writes."""
        self.rng = np.random.default_rng(seed)
        """What `act` draws from."""
        self.learned: list[int] = []
        """`episode_id` of each window learned from."""
        params = {"learning_rate": 0.1} if hyperparams is None else hyperparams
        self._hyperparams = HyperparamSet(dict(params)).copy()
        self._n_actions = n_actions
        self._draw_action = draw_action
        self._raise_at = dict(raise_at or {})
        self._error = RuntimeError("FakeAgent was told to fail") if error is None else error

    def act(self, observation: Any) -> Any:  # noqa: ARG002
        self._count("act")
        if self._draw_action is not None:
            return self._draw_action(self.rng)
        return int(self.rng.integers(self._n_actions))

    def learn(self, episode_data: EpisodeData) -> dict[str, Any]:
        self._count("learn")
        self.skill += 1.0
        self.learned.append(episode_data.episode_id)
        return {"loss": 1.0 / self.skill}

    def get_hyperparams(self) -> HyperparamSet:
        self._count("get_hyperparams")
        return self._hyperparams.copy()

    def set_hyperparams(self, hp: HyperparamSet) -> None:
        self._count("set_hyperparams")
        self._hyperparams = hp.copy()

    def save_weights(self, path: str) -> None:
        self._count("save_weights")
        Path(path).write_text(json.dumps({"skill": self.skill}), encoding="utf-8")

    def load_weights(self, path: str) -> None:
        self._count("load_weights")
        self.skill = float(json.loads(Path(path).read_text(encoding="utf-8"))["skill"])

    def _count(self, method: str) -> None:
        self.calls[method] += 1
        if self.calls[method] == self._raise_at.get(method):
            raise self._error


class FakeStatefulAgent(FakeAgent):
    """A `FakeAgent` with `HasState`: its generator and its counters can be put back."""

    def state_dict(self) -> dict[str, Any]:
        """Return the generator's state and the counters."""
        return {"rng": self.rng.bit_generator.state, "calls": dict(self.calls)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put back what `state_dict` returned."""
        self.rng.bit_generator.state = state["rng"]
        self.calls = Counter(state["calls"])


class FakeGreedyAgent(FakeAgent):
    """A `FakeAgent` with `ActsGreedily`, `ActsInBatch` and `ActsGreedilyInBatch`.

    Its greedy action is always the last one. Batched calls are counted under their own names.
    """

    def act_batch(self, observations: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Draw one action a row."""
        self._count("act_batch")
        return self.rng.integers(self._n_actions, size=len(observations))

    def act_greedy(self, observation: Any) -> Any:  # noqa: ARG002
        """Return the last action; draws nothing."""
        self._count("act_greedy")
        return self._n_actions - 1

    def act_greedy_batch(self, observations: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return the last action for each row; draws nothing."""
        self._count("act_greedy_batch")
        return np.full(len(observations), self._n_actions - 1)
