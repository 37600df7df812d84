"""Optix's SAC, collecting and learning without a loop around it."""

import gymnasium

from benchmarks.harness.timing import seconds
from optix_core import HyperparamSet
from optix_pipelines import BatchPipeline, make_vector
from optix_tf import SACAgent

ENVIRONMENT = "Pendulum-v1"
WARM_UP = 512


class SACThroughput:
    """The SAC agent as `optix train` has it: windows of 64 steps, then 64 updates."""

    def open(self, hidden: list[int], seed: int) -> None:
        """Build environment and agent, and get the warm-up over with."""
        env = make_vector(ENVIRONMENT, 1)
        single: gymnasium.Env[object, object] = gymnasium.make(ENVIRONMENT)
        self._agent = SACAgent.for_spaces(
            single.observation_space,
            single.action_space,
            seed=seed,
            hyperparams=HyperparamSet({"warmup_steps": WARM_UP, "learning_rate": 3e-4}),
            hidden=hidden,
        )
        single.close()
        pipeline = BatchPipeline(env, window_size=64)
        pipeline.set_agent(self._agent)
        pipeline.seed(seed)
        pipeline.setup()
        self._windows = iter(pipeline.episodes())
        self.iterate(WARM_UP)

    def iterate(self, n_steps: int) -> dict[str, float]:
        """Play `n_steps` steps and make as many updates; steps, CPU and wall seconds."""
        steps = 0

        def play() -> None:
            nonlocal steps
            while steps < n_steps:
                window = next(self._windows)
                steps += window.length
                self._agent.learn(window)

        spent = seconds(play)
        return {"steps": steps} | spent
