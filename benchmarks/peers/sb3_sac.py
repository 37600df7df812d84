"""Stable-Baselines3's SAC, collecting and learning."""

from stable_baselines3 import SAC

from benchmarks.harness.timing import seconds

ENVIRONMENT = "Pendulum-v1"
WARM_UP = 512


class SACThroughput:
    """SAC models that are trained on, by how many steps come before as many updates."""

    def __init__(self) -> None:
        self._models: dict[int, SAC] = {}

    def open(self, hidden: list[int], seed: int, train_freq: int) -> None:
        """Build environment and model, its defaults save for these, and get the warm-up over."""
        self._models[train_freq] = model = SAC(
            "MlpPolicy",
            ENVIRONMENT,
            seed=seed,
            device="cpu",
            verbose=0,
            buffer_size=100_000,
            learning_starts=WARM_UP,
            train_freq=train_freq,
            gradient_steps=train_freq,
            policy_kwargs={"net_arch": hidden},
        )
        model.learn(total_timesteps=WARM_UP)

    def iterate(self, n_steps: int, train_freq: int) -> dict[str, float]:
        """Play `n_steps` steps and make as many updates; steps, CPU and wall seconds."""
        model = self._models[train_freq]
        before = model.num_timesteps
        spent = seconds(lambda: model.learn(total_timesteps=n_steps, reset_num_timesteps=False))
        return {"steps": model.num_timesteps - before} | spent
