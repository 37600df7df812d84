"""CartPole stepped with nothing around it: what a pipeline or a loop is compared with."""

from collections.abc import Callable
from typing import Any

import gymnasium

from benchmarks.harness.timing import cpu_seconds

ENVIRONMENT = "CartPole-v1"


def random_loop_cpu_s(n_steps: int, seed: int = 0) -> float:
    """CPU seconds per step of `env.step(env.action_space.sample())`, resets included."""
    env = gymnasium.make(ENVIRONMENT)
    env.action_space.seed(seed)
    return loop_cpu_s(lambda _: env.action_space.sample(), n_steps, seed=seed, env=env)


def loop_cpu_s(
    act: Callable[[Any], Any],
    n_steps: int,
    *,
    seed: int = 0,
    env: gymnasium.Env[Any, Any] | None = None,
) -> float:
    """CPU seconds per step of `env.step(act(observation))`: resets included, nothing kept."""
    env = env or gymnasium.make(ENVIRONMENT)
    first, _ = env.reset(seed=seed)

    def play() -> None:
        observation = first
        for _ in range(n_steps):
            observation, _, terminated, truncated, _ = env.step(act(observation))
            if terminated or truncated:
                observation, _ = env.reset()

    cpu_s = cpu_seconds(play)
    env.close()
    return cpu_s / n_steps


class CyclingPolicy:
    """Plays a fixed list of actions over and over: as cheap as a policy can be, with no trend."""

    def __init__(self, n_actions: int = 2, period: int = 1021) -> None:
        # A linear congruence, so that both sides play the same actions whatever their NumPy.
        state, actions = 12345, list[int]()
        for _ in range(period):
            state = (1103515245 * state + 12345) % 2**31
            actions.append((state >> 16) % n_actions)
        self._actions = actions
        self._index = -1

    def __call__(self, observation: Any) -> int:
        """The next action of the list."""
        self._index += 1
        if self._index == len(self._actions):
            self._index = 0
        return self._actions[self._index]
