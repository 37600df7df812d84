"""What the library takes of the CPU time of real runs: all but the agent's and the environment's.

Runs of `optix train CartPole-v1` and of `examples/numpy_ppo.py`. Theirs is what is spent inside the
agent's `act`, `learn` and their kin, and inside `step` and `reset` of the environments, in training
and in validation alike. Everything else is ours: collecting rows, scores, tests, tuning, journal,
snapshots (the agent's `save_weights` too), state. What the clock takes is measured and taken off
both. The first call of each function, in which the Keras agent compiles, is theirs as well; the
share without it is the larger one, and what the goal is about.

Run: `uv run --group bench python -m benchmarks.loop_share [--seeds 3]`
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.harness import Goal, one_thread, write_table
from benchmarks.harness.stopwatch import Stopwatch, cost_of_watching
from benchmarks.real_runs import RealRun, numpy_ppo, optix_train

GOAL = Goal(0.05, at_most=True)
OF_AGENT = (
    "act",
    "act_batch",
    "act_greedy",
    "act_greedy_batch",
    "action_distribution",
    "learn",
)
OF_ENVIRONMENT = ("step", "reset")
OF_PIPELINE = ("_next_window", "play_episodes")

Make = Callable[[Path, int], RealRun]
RUNS: dict[str, Make] = {
    "`optix train CartPole-v1`, PPO in Keras": optix_train,
    "`examples/numpy_ppo.py`, windows of 1,024": partial(numpy_ppo, window_size=1024),
    "the same, windows of 2,048": partial(numpy_ppo, window_size=2048),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """CPU seconds of one run."""

    theirs: float
    """Inside agent and environments, first calls left out."""
    first_calls: float
    """Inside the first call of each of their functions."""
    collecting: float
    """Inside the pipelines, beside agent and environments."""
    loop: float
    """All the rest."""

    def share(self, ours: float, *, with_first_calls: bool = True) -> float:
        """What a part of ours is of the run."""
        whole = self.theirs + self.collecting + self.loop
        return ours / (whole + self.first_calls if with_first_calls else whole)


def measure(make: Make, seed: int) -> Parts:
    """Make one run and take it apart."""
    watch, at_pipelines = Stopwatch(), Stopwatch()
    with tempfile.TemporaryDirectory() as directory:
        run = make(Path(directory), seed)
        watch.wrap(run.agent, OF_AGENT)
        for environment in run.environments:
            watch.wrap(environment, OF_ENVIRONMENT)
        for pipeline in run.pipelines:
            at_pipelines.wrap(pipeline, OF_PIPELINE)
        # What agent and environment take outside of the pipelines: the lessons.
        lessons = Stopwatch()
        lessons.wrap(run.agent, ("learn",))
        begin = time.process_time()
        run.optimizer.run()
        total = time.process_time() - begin
    inside, outside = cost_of_watching()
    watched = inside + outside
    theirs = watch.whole_s - inside * watch.calls
    in_pipelines = at_pipelines.whole_s - (theirs - lessons.whole_s) - watched * watch.calls
    loop = total - at_pipelines.whole_s - lessons.whole_s
    return Parts(
        theirs=theirs - watch.first_calls_s,
        first_calls=watch.first_calls_s,
        collecting=in_pipelines,
        loop=loop,
    )


def main() -> None:
    """Measure run by run, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    n_seeds = parser.parse_args().seeds
    one_thread()
    rows = [_row(title, [measure(make, s) for s in range(n_seeds)]) for title, make in RUNS.items()]
    write_table(
        [
            "run",
            "agent and environment + first calls, CPU s",
            "pipelines, share",
            "loop, share",
            "without first calls: pipelines, loop",
            "goal, loop",
        ],
        rows,
    )


def _row(title: str, samples: Sequence[Parts]) -> list[str]:
    def median(read: Callable[[Parts], float]) -> float:
        return float(np.median([read(each) for each in samples]))

    loop = median(lambda each: each.share(each.loop))
    warm = [
        median(lambda each: each.share(each.collecting, with_first_calls=False)),
        median(lambda each: each.share(each.loop, with_first_calls=False)),
    ]
    return [
        title,
        f"{median(lambda each: each.theirs):.2f} + {median(lambda each: each.first_calls):.2f}",
        f"{median(lambda each: each.share(each.collecting)):.3f}",
        f"{loop:.3f}",
        f"{warm[0]:.3f}, {warm[1]:.3f}",
        GOAL.verdict(loop),
    ]


if __name__ == "__main__":
    main()
