"""TD3, and DDPG as a setting of it, with any Keras actor and critics."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from optix_core.episode_data import FloatArray
from optix_tf._tensorflow import Model
from optix_tf.actor_critic_agent import ActorCriticAgent
from optix_tf.off_policy_settings import OffPolicySettings
from optix_tf.replay_updates import ReplayUpdates
from optix_tf.td3_settings import TD3Settings
from optix_tf.td3_update import TD3Networks, TD3Updates

_TARGET_ACTOR = "target_actor"


class TD3Agent(ActorCriticAgent):
    """Learns real actions between bounds from a replay memory, deterministic save for exploration.

    The actor's first output is an action before tanh, [B, A]. `for_spaces` makes one with defaults
    meant for every environment. Actions are scaled to the space. A truncated episode is continued
    by the value of the true next observation; a termination alone ends the return. Layers behave
    as at inference throughout. With `is_twin=False, policy_delay=1, target_noise=0.0` it is DDPG.

    Hyperparameters: see `TD3Settings`. An unknown name is an error.
    """

    settings_type: ClassVar[type[OffPolicySettings]] = TD3Settings
    outputs_per_action: ClassVar[int] = 1

    @property
    def settings(self) -> TD3Settings:
        """Hyperparameters in force."""
        return cast("TD3Settings", self._settings)

    def _exploring(self, outputs: NDArray[Any], noise: FloatArray) -> NDArray[Any]:
        return np.clip(np.tanh(outputs) + self.settings.exploration_noise * noise, -1.0, 1.0)

    def _greedy(self, outputs: NDArray[Any]) -> NDArray[Any]:
        return np.tanh(outputs)

    def _moments(self, outputs: NDArray[Any]) -> tuple[FloatArray, FloatArray]:
        """Return those before the bounds cut the noise off."""
        mean = np.tanh(outputs.astype(np.float64))
        return mean, np.full_like(mean, self.settings.exploration_noise)

    def _make_updates(self) -> ReplayUpdates:
        networks = TD3Networks(
            actor=self.model,
            target_actor=self._targets[_TARGET_ACTOR],
            critics=self.critics,
            target_critics=self._target_critics(),
        )
        return TD3Updates(networks, self.optimizer, jit_compile=self._is_jit)

    def _tunable(self) -> Sequence[float]:
        settings = self.settings
        return (
            settings.tau,
            settings.policy_delay,
            settings.target_noise,
            settings.target_noise_limit,
            float(settings.is_twin),
        )

    def _draws(self, n_updates: int, batch_size: int) -> Mapping[str, NDArray[Any]]:
        shape = n_updates, batch_size, self._box.size
        return {"noise": self._rng.standard_normal(shape, np.float32)}

    def _followed(self) -> Mapping[str, Model]:
        return {**super()._followed(), _TARGET_ACTOR: self.model}
