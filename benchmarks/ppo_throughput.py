"""PPO training on CartPole with 8 environments: steps per CPU second, against Stable-Baselines3.

Both sides have the same network and hyperparameters and one thread; compilation is excluded.

Run: `uv run --group bench python -m benchmarks.ppo_throughput`
"""

import argparse
from typing import Any

from benchmarks.harness import (
    Goal,
    Ratio,
    Variant,
    Worker,
    interleave,
    one_thread,
    optix_worker,
    sb3_worker,
    write_ratios,
)

N_ENVS = 8
SB3_DEFAULTS: dict[str, Any] = {
    "n_steps": 256,
    "batch_size": 64,
    "n_epochs": 10,
    "learning_rate": 3e-4,
    "gamma": 0.99,
    "gae_lambda": 0.95,
    "clip_range": 0.2,
    "ent_coef": 0.0,
    "vf_coef": 0.5,
    "max_grad_norm": 0.5,
}
RL_ZOO = SB3_DEFAULTS | {
    "n_steps": 32,
    "batch_size": 256,
    "n_epochs": 20,
    "learning_rate": 1e-3,
    "gamma": 0.98,
    "gae_lambda": 0.8,
}
SETTINGS = {
    "SB3's defaults: 2,048 steps, batch 64, 10 epochs": (SB3_DEFAULTS, Goal(5)),
    "rl-zoo's for CartPole: 256 steps, batch 256, 20 epochs": (RL_ZOO, None),
}
STEPS_PER_SAMPLE = 4096


def _seconds_per_step(worker: Worker, n_iterations: int) -> float:
    spent = worker.call("iterate_throughput", n_iterations=n_iterations)
    return spent["cpu_s"] / spent["steps"]


def _variants(optix: Worker, sb3: Worker, hyperparams: dict[str, Any]) -> list[Variant]:
    for worker in (optix, sb3):
        worker.call("open_throughput", n_envs=N_ENVS, seed=0, hyperparams=hyperparams)
    n_iterations = STEPS_PER_SAMPLE // (N_ENVS * hyperparams["n_steps"])
    return [
        Variant("optix", lambda: _seconds_per_step(optix, n_iterations)),
        Variant("sb3", lambda: _seconds_per_step(sb3, n_iterations)),
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    one_thread()
    ratios: list[Ratio] = []
    with optix_worker() as optix, sb3_worker() as sb3:
        for title, (hyperparams, goal) in SETTINGS.items():
            variants = _variants(optix, sb3, hyperparams)
            samples = interleave(variants, rounds=rounds, warm_up_rounds=2)
            ratios.append(Ratio(f"SB3 / Optix, {title}", samples["sb3"], samples["optix"], goal))
    write_ratios(ratios, unit="CPU μs per environment step", scale=1e6)


if __name__ == "__main__":
    main()
