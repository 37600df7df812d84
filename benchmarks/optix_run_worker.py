"""The run of `optix train CartPole-v1`, called by the benchmarks through `serve`."""

import inspect
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.bare_loop import ENVIRONMENT
from benchmarks.harness.greedy_evaluation import episode_returns
from benchmarks.harness.serve import serve
from benchmarks.harness.timing import seconds
from optix_cli.environments import episode_pipeline, training_pipeline
from optix_cli.train_request import PreparedRun, TrainRequest, prepare
from optix_core import BaseAgent, EpisodeData, RLOptimizer
from optix_core.abilities import ActsGreedilyInBatch


class GreedyCheck:
    """Plays greedy episodes after every `check_every` training steps; keeps their returns and cost.

    It stands round the agent's `learn`, so that it sees the policy that was just trained.
    """

    def __init__(self, agent: BaseAgent, *, check_every: int, n_episodes: int) -> None:
        self._agent = agent
        self._check_every = check_every
        self._n_episodes = n_episodes
        self._learn: Callable[[EpisodeData], dict[str, Any]] = agent.learn
        self.steps = 0
        self.returns: dict[int, float] = {}
        self.cpu_s = 0.0
        self.after_check: Callable[[int, float], None] = lambda _steps, _mean: None

    def learn(self, episode_data: EpisodeData) -> dict[str, Any]:
        """Learn as the agent does, then check where a check is due."""
        diagnostics = self._learn(episode_data)
        before, self.steps = self.steps, self.steps + episode_data.length
        if self.steps // self._check_every > before // self._check_every:
            began = time.process_time()
            mean = float(np.mean(self._play()))
            self.returns[self.steps] = mean
            self.cpu_s += time.process_time() - began
            self.after_check(self.steps, mean)
        return diagnostics

    def _play(self) -> NDArray[np.float64]:
        assert isinstance(self._agent, ActsGreedilyInBatch)
        seed = self.steps // self._check_every
        return episode_returns(self._agent.act_greedy_batch, n_episodes=self._n_episodes, seed=seed)


def train(
    seed: int,
    *,
    check_every: int = 0,
    n_episodes: int = 100,
    target: float = 475.0,
    stop_when_solved: bool = False,
) -> dict[str, Any]:
    """Make the run of `optix train CartPole-v1 --seed SEED`; with `check_every`, measure meanwhile.

    Returns:
        Training steps until the target was first met (None if never), the greedy means by step,
        CPU seconds from the first window to the stop without the checks, compilation included,
        and what the run's report says.
    """
    with tempfile.TemporaryDirectory() as directory:
        run = prepare(TrainRequest(env_id=ENVIRONMENT, seed=seed, run_dir=Path(directory) / "run"))
        optimizer = _optimizer(run)
        solved: dict[str, float] = {}
        began = time.process_time()
        check = GreedyCheck(run.agent, check_every=check_every or 2**62, n_episodes=n_episodes)

        def note(steps: int, mean: float) -> None:
            if mean < target or solved:
                return
            solved.update(steps=steps, cpu_s=time.process_time() - began - check.cpu_s)
            if stop_when_solved:
                optimizer.stop()

        check.after_check = note
        if check_every:
            vars(run.agent)["learn"] = check.learn
        reports: list[Any] = []
        spent = seconds(lambda: reports.append(optimizer.run()))
        report = reports[0]
    return {
        "seed": seed,
        "training_steps": report.steps,
        "validation_steps": report.validation_steps,
        "stop_reason": report.stop_reason.value,
        "best_score": report.best_score,
        "training_cpu_s": spent["cpu_s"] - check.cpu_s,
        "checks_cpu_s": check.cpu_s,
        "wall_s": spent["wall_s"],
        "solved_at": solved.get("steps"),
        "cpu_s_at_solved": solved.get("cpu_s"),
        "greedy_returns": check.returns,
    }


def _optimizer(run: PreparedRun) -> RLOptimizer:
    settings = run.settings
    taken = inspect.signature(RLOptimizer).parameters
    loop = {name: value for name, value in settings.as_dict().items() if name in taken}
    return RLOptimizer(
        run.agent,
        training_pipeline(ENVIRONMENT, n_envs=settings.n_envs, window_size=settings.window_size),
        val_pipeline=episode_pipeline(ENVIRONMENT, settings.validation_episodes),
        checkpoint_dir=run.run_dir,
        max_episodes=run.max_windows,
        seed=run.seeds.seed,
        **loop,
    )


if __name__ == "__main__":
    serve({"train": train})
