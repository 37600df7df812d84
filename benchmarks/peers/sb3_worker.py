"""Stable-Baselines3 PPO on CartPole-v1, called by the benchmarks through `serve`."""

import os
import time
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import stable_baselines3
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env

from benchmarks.harness.greedy_evaluation import episode_returns
from benchmarks.harness.serve import serve
from benchmarks.harness.timing import seconds
from benchmarks.peers.sb3_sac import SACThroughput

ENVIRONMENT = "CartPole-v1"
RL_ZOO_TOTAL_STEPS = 100_000
RL_ZOO_N_ENVS = 8


def linear(initial: float) -> Callable[[float], float]:
    """The rl-zoo schedule `lin_<initial>`: initial × share of the training that remains."""
    return lambda remaining: remaining * initial


def rl_zoo_hyperparams() -> dict[str, Any]:
    """rl-zoo's tuned PPO hyperparameters for CartPole-v1."""
    return {
        "n_steps": 32,
        "batch_size": 256,
        "gae_lambda": 0.8,
        "gamma": 0.98,
        "n_epochs": 20,
        "ent_coef": 0.0,
        "learning_rate": linear(0.001),
        "clip_range": linear(0.2),
    }


class GreedyCheck(BaseCallback):
    """Plays greedy episodes every `check_every` training steps; keeps their returns and cost."""

    def __init__(
        self, check_every: int, n_episodes: int, target: float, *, stop_when_solved: bool
    ) -> None:
        super().__init__()
        self._stop_when_solved = stop_when_solved
        self._check_every = check_every
        self._n_episodes = n_episodes
        self._target = target
        self.returns: dict[int, float] = {}
        self.cpu_s = 0.0
        self.solved_at: int | None = None
        self.cpu_s_at_solved: float | None = None
        self._start = 0.0

    def _on_training_start(self) -> None:
        self._start = time.process_time()

    def _on_rollout_start(self) -> None:
        # The update of the rollout before is done: the policy was trained on num_timesteps steps.
        due = self.num_timesteps > 0 and self.num_timesteps % self._check_every == 0
        if due and self.num_timesteps not in self.returns:
            self._check()

    def _on_step(self) -> bool:
        return not (self._stop_when_solved and self.solved_at is not None)

    def _on_training_end(self) -> None:
        self._on_rollout_start()

    def _check(self) -> None:
        began = time.process_time()
        mean = float(np.mean(self._play(self.num_timesteps // self._check_every)))
        if self.solved_at is None and mean >= self._target:
            self.solved_at = self.num_timesteps
            self.cpu_s_at_solved = began - self._start - self.cpu_s
        self.returns[self.num_timesteps] = mean
        self.cpu_s += time.process_time() - began

    def _play(self, seed: int) -> np.ndarray:
        policy = self.model.policy
        policy.set_training_mode(False)

        def greedy(observations: np.ndarray) -> np.ndarray:
            with torch.no_grad():
                distribution = policy.get_distribution(torch.as_tensor(observations))
                return distribution.get_actions(deterministic=True).numpy()

        return episode_returns(greedy, n_episodes=self._n_episodes, seed=seed)


def train_rl_zoo(
    seed: int,
    *,
    check_every: int = 0,
    n_episodes: int = 100,
    target: float = 475.0,
    total_steps: int = RL_ZOO_TOTAL_STEPS,
    stop_when_solved: bool = False,
) -> dict[str, Any]:
    """Train with rl-zoo's hyperparameters; with `check_every`, measure the greedy return meanwhile.

    The schedules of learning rate and clipping run over `total_steps`, also where the training is
    ended at the target.

    Returns:
        Training steps until the target was first met (None if never), the greedy means by step, CPU
        seconds of training without the checks: in all, and until the target was met.
    """
    env = make_vec_env(ENVIRONMENT, n_envs=RL_ZOO_N_ENVS, seed=seed)
    model = PPO("MlpPolicy", env, seed=seed, device="cpu", verbose=0, **rl_zoo_hyperparams())
    check = (
        GreedyCheck(check_every, n_episodes, target, stop_when_solved=stop_when_solved)
        if check_every
        else None
    )
    spent = seconds(lambda: model.learn(total_timesteps=total_steps, callback=check))
    env.close()
    checks_cpu_s = check.cpu_s if check else 0.0
    return {
        "seed": seed,
        "training_steps": model.num_timesteps,
        "training_cpu_s": spent["cpu_s"] - checks_cpu_s,
        "checks_cpu_s": checks_cpu_s,
        "wall_s": spent["wall_s"],
        "solved_at": check.solved_at if check else None,
        "cpu_s_at_solved": check.cpu_s_at_solved if check else None,
        "greedy_returns": check.returns if check else {},
    }


class Throughput:
    """One PPO model that is trained on, an iteration at a time, with given hyperparameters."""

    def __init__(self) -> None:
        self._model: PPO | None = None

    def open(self, n_envs: int, seed: int, hyperparams: dict[str, Any]) -> None:
        """Build environments and model; `hyperparams` are PPO's arguments."""
        env = make_vec_env(ENVIRONMENT, n_envs=n_envs, seed=seed)
        self._model = PPO("MlpPolicy", env, seed=seed, device="cpu", verbose=0, **hyperparams)

    def iterate(self, n_iterations: int) -> dict[str, float]:
        """Collect and train `n_iterations` times; environment steps, CPU and wall seconds."""
        assert self._model is not None, "call open_throughput first"
        steps = n_iterations * self._model.n_steps * self._model.n_envs
        model = self._model
        return {"steps": steps} | seconds(
            lambda: model.learn(total_timesteps=steps, reset_num_timesteps=False)
        )


def describe() -> dict[str, Any]:
    """Versions and threads of this environment."""
    return {
        "stable-baselines3": stable_baselines3.__version__,
        "torch": torch.__version__,
        "gymnasium": gymnasium.__version__,
        "threads": torch.get_num_threads(),
        "process": os.getpid(),
    }


def main() -> None:
    """Serve until the benchmark closes its end."""
    torch.set_num_threads(1)
    throughput, sac = Throughput(), SACThroughput()
    serve(
        {
            "describe": describe,
            "train_rl_zoo": train_rl_zoo,
            "open_throughput": throughput.open,
            "iterate_throughput": throughput.iterate,
            "open_sac": sac.open,
            "iterate_sac": sac.iterate,
        }
    )


if __name__ == "__main__":
    main()
