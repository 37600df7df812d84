"""What agents that learn from a replay memory have in common."""

import dataclasses
import functools
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from optix_core import Domain, EpisodeData, HyperparamSet
from optix_core.errors import HyperparamError
from optix_core.replay_extent import ReplayExtent
from optix_tf._tensorflow import Model, Optimizer
from optix_tf.encoded_agent import EncodedAgent
from optix_tf.off_policy_settings import OffPolicySettings
from optix_tf.replay_memory import ReplayMemory
from optix_tf.replay_updates import UPDATES_PER_CALL, ReplayUpdates
from optix_tf.target_network import TargetNetwork
from optix_tf.window_rows import valid_rows

_FIXED = ("n_steps", "batch_size", "buffer_size", "warmup_steps", "updates_per_step")
_STEPS = "agent/steps"
_NOTHING_LEARNED = {"update_skipped": 0.0, "update_ratio": 0.0, "n_updates": 0.0}


class OffPolicyAgent(EncodedAgent):
    """Remembers what was played, and makes updates in proportion to it at each `learn`.

    The first `warmup_steps` steps are played at random; updates begin when they are over and as
    many transitions are remembered. How far an agent is counts as part of its policy and is saved
    with the weights; the memory, and what else learning needs, is in `state_dict`.
    """

    settings_type: ClassVar[type[OffPolicySettings]]
    """Settings of the algorithm."""

    def __init__(
        self,
        model: Model,
        optimizer: Optimizer,
        hyperparams: HyperparamSet,
        *,
        seed: int | np.random.SeedSequence | None,
        observation_space: object,
        normalise: bool,
        jit_compile: bool,
    ) -> None:
        """Make an agent; its arguments are described where a subclass lists them.

        Raises:
            ConfigurationError: if observations are to be normalised without their space.
        """
        self._settings = self.settings_type()
        self._memory: ReplayMemory | None = None
        self._updates: ReplayUpdates | None = None
        self._steps = 0
        self._due = 0.0
        self._n_updates = 0
        super().__init__(
            model,
            optimizer,
            hyperparams,
            defaults=self._settings,
            seed=seed,
            observation_space=observation_space,
            normalise=normalise,
            jit_compile=jit_compile,
        )

    @abstractmethod
    def _encode_actions(self, actions: NDArray[Any]) -> NDArray[Any]:
        """Actions [R, ...] as they are remembered."""

    @abstractmethod
    def _make_updates(self) -> ReplayUpdates:
        """Make the algorithm's updates; networks and optimizer are built."""

    @abstractmethod
    def _tunable(self) -> Sequence[float]:
        """Numbers that the updates are given."""

    @abstractmethod
    def _followed(self) -> Mapping[str, Model]:
        """Networks that a target follows, by the target's name."""

    @abstractmethod
    def _after_steps(self) -> None:
        """Hear that steps, updates or settings changed."""

    def _draws(self, n_updates: int, batch_size: int) -> Mapping[str, NDArray[Any]]:
        """Random numbers that the updates need, columns [U, ...]."""
        del n_updates, batch_size
        return {}

    @property
    def is_warming_up(self) -> bool:
        """Whether it plays at random yet."""
        return self._steps < self._settings.warmup_steps

    def loop_preferences(self) -> Mapping[str, Any]:
        """Small windows of one environment, since updates follow the steps; fewer evaluations.

        The first evaluations are 1,024 steps apart and later ones 2,048; twenty without improvement
        span about 37,000 steps. PPO, which needs more steps for everything, has 215,000.
        """
        return {
            "n_envs": 1,
            "window_size": 64,
            "base_interval": 16,
            "max_interval_episodes": 32,
        }

    def learn(self, episode_data: EpisodeData) -> dict[str, Any]:
        """Remember the window and make the updates that are due, in compiled calls.

        Returns:
            `n_updates`, `update_skipped` (how many were refused because they were not finite),
            `update_ratio` (by what share of their length an update moved the weights, by which the
            step size is steered; 0 where there was none), `replay_rows`, and means over the
            updates: see the agent. A window with a reward or observation that is not finite changes
            nothing.
        """
        if not self._is_finite(episode_data):
            return {**_NOTHING_LEARNED, "update_skipped": 1.0}
        self._remember(episode_data)
        memory = self._replay()
        n_updates = self._take_due(episode_data.length, len(memory))
        diagnostics = self._train(memory, n_updates) if n_updates else _NOTHING_LEARNED
        self._after_steps()
        return {**diagnostics, "n_updates": float(n_updates), "replay_rows": float(len(memory))}

    def set_hyperparams(self, hp: HyperparamSet) -> None:
        """Put hyperparameters into force; those not given have their defaults.

        Raises:
            HyperparamError: if one is unknown or out of range, or would change a memory that holds
                something; then nothing was changed.
        """
        settings = self.settings_type.from_params(hp.params)
        memory = self._memory
        if memory is not None:
            held = (memory.capacity, memory.is_prioritised)
            if held != (settings.buffer_size, settings.is_prioritised):
                if len(memory):
                    raise HyperparamError(
                        f"the memory holds {len(memory)} transitions: buffer_size={held[0]} and "
                        f"is_prioritised={held[1]} stay as they are; set them at the start"
                    )
                self._memory = None
        super().set_hyperparams(hp)
        self._settings = settings
        self._after_steps()

    def hyperparam_space(self) -> Mapping[str, Domain]:
        """Declare the step size and what must not drift.

        The step size is not probed: how far a policy moves in one `learn` says little where the
        values behind it are still being learned. It is steered by `update_ratio`.
        """
        params = self._hyperparams.params
        fixed = {name: Domain(choices=(params[name],)) for name in _FIXED if name in params}
        steered = {
            name: dataclasses.replace(domain, probe=False)
            for name, domain in super().hyperparam_space().items()
        }
        return {**steered, **fixed}

    def state_dict(self) -> dict[str, Any]:
        """Return what the weights file does not hold: generator, memory and counters."""
        memory = None if self._memory is None else self._memory.state_dict()
        return {**self.state_without_replay(), "memory": memory}

    def replay_extent(self) -> ReplayExtent | None:
        """Say which transitions the memory holds; None where there are none yet."""
        return None if self._memory is None else self._memory.extent

    def replay_rows(self, start: int, end: int) -> dict[str, NDArray[Any]]:
        """Copy out the transitions that were remembered as number `start` up to `end`."""
        return dict(self._replay().rows(start, end))

    def state_without_replay(self) -> dict[str, Any]:
        """Return what `state_dict` returns, of the transitions their number alone."""
        memory = None if self._memory is None else self._memory.state_without_rows()
        counters = {"due": self._due, "n_updates": self._n_updates}
        return {**super().state_dict(), **counters, "memory": memory}

    def load_with_replay(self, state: Mapping[str, Any], rows: Mapping[str, NDArray[Any]]) -> None:
        """Put back what `state_without_replay` returned, and the transitions held then.

        Raises:
            CheckpointError: if the memory was of another size.
        """
        memory = self._replay().whole_state(state["memory"], dict(rows))
        self.load_state_dict({**state, "memory": memory})

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put back what `state_dict` returned.

        Raises:
            CheckpointError: if the memory was of another size.
        """
        super().load_state_dict(state)
        self._due, self._n_updates = float(state["due"]), int(state["n_updates"])
        if state["memory"] is None:
            self._memory = None
        else:
            self._replay().load_state_dict(state["memory"])

    def _replay(self) -> ReplayMemory:
        if self._memory is None:
            settings = self._settings
            self._memory = ReplayMemory(
                settings.buffer_size, is_prioritised=settings.is_prioritised
            )
        return self._memory

    def _is_finite(self, window: EpisodeData) -> bool:
        numbers = (window.observations, window.next_observations, window.rewards, window.actions)
        return all(
            bool(np.isfinite(valid_rows(array, window)).all())
            for array in numbers
            if array.dtype.kind == "f"
        )

    def _remember(self, window: EpisodeData) -> None:
        seen = valid_rows(window.observations, window)
        if len(seen):
            self._inputs.observe(self._inputs.encode(seen))
        self._replay().add(
            window, self._encode_actions, n=self._settings.n_steps, gamma=self._settings.gamma
        )

    def _take_due(self, n_steps: int, n_remembered: int) -> int:
        """Count a window's steps and return how many updates are to be made for them."""
        settings = self._settings
        warm = self._steps >= settings.warmup_steps
        self._steps += n_steps
        enough = max(settings.batch_size, min(settings.warmup_steps, settings.buffer_size))
        if not warm or n_remembered < enough:
            return 0
        self._due += settings.updates_per_step * n_steps
        n_updates = int(self._due)
        self._due -= n_updates
        return n_updates

    def _train(self, memory: ReplayMemory, n_updates: int) -> dict[str, float]:
        updates = self._ready_updates()
        totals = dict.fromkeys(updates.measures, 0.0)
        for start in range(0, n_updates, UPDATES_PER_CALL):
            n_now = min(UPDATES_PER_CALL, n_updates - start)
            draw = memory.draw(n_now, self._settings.batch_size, self._rng)
            columns = {
                **self._prepared(memory.take(draw.positions)),
                "weight": draw.weights,
                **self._draws(n_now, self._settings.batch_size),
            }
            sums, errors = updates(columns, self._n_updates, self._tunable())
            memory.put_errors(draw.positions, errors)
            self._n_updates += n_now
            totals = {name: total + sums[name] for name, total in totals.items()}
        means = {name: total / n_updates for name, total in totals.items()}
        return means | {"update_skipped": totals["update_skipped"]}

    def _prepared(self, rows: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Observations as the network takes them; the rest as it is."""
        ready = dict(rows)
        for name in ("observation", "next_observation"):
            lead = rows["reward"].shape
            flat = rows[name].reshape(-1, *rows[name].shape[len(lead) :])
            batch = self._network.as_batch(self._inputs.batch(flat))
            ready[name] = batch.reshape(*lead, *batch.shape[1:])
        return ready

    def _ready_updates(self) -> ReplayUpdates:
        if self._updates is None:
            self._variables()
            self._updates = self._make_updates()
        return self._updates

    @functools.cached_property
    def _targets(self) -> Mapping[str, TargetNetwork]:
        """Targets by name: copies of the networks as they are when this is first asked for."""
        return {name: TargetNetwork(model, name) for name, model in self._followed().items()}

    def _fixed_variables(self) -> Mapping[str, Any]:
        return {
            name: variable
            for target in self._targets.values()
            for name, variable in target.variables.items()
        }

    def _agent_arrays(self) -> dict[str, NDArray[Any]]:
        return {**super()._agent_arrays(), _STEPS: np.array(self._steps, dtype=np.int64)}

    def _set_agent_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        super()._set_agent_arrays(arrays)
        self._steps = int(arrays[_STEPS])
        self._after_steps()
