"""After convergence the loop goes on acting on a live source, and trains again when it degrades."""

import json
import queue
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from optix_core import BaseAgent, EpisodeData, HyperparamSet, LoopState, RLOptimizer, StopReason
from optix_pipelines import LivePipeline

WINDOW = 10
CHANGE_AT = 200


class TwoRegimes:
    """Pays 1 for action 1, from item CHANGE_AT on for action 0; it waits for each action."""

    def __init__(self) -> None:
        self.actions: queue.Queue[int | None] = queue.Queue()

    def stream(self) -> Iterator[Any]:
        number, reward = 0, 0.0
        while True:
            yield np.array([float(number)]), reward, False, False, {}
            action = self.actions.get()
            if action is None:
                return
            reward = float(action == (number < CHANGE_AT))
            number += 1

    def send(self, action: int) -> None:
        self.actions.put(action)

    def close(self) -> None:
        self.actions.put(None)


class OneArm(BaseAgent):
    """Plays one arm, and changes to the other when it learns that it does not pay."""

    def __init__(self) -> None:
        self.arm = 0
        self.learned: list[int] = []

    def act(self, observation: Any) -> Any:
        return self.arm

    def learn(self, episode_data: EpisodeData) -> dict[str, Any]:
        self.learned.append(episode_data.episode_id)
        if episode_data.rewards.mean() < 0.5:
            self.arm = 1 - self.arm
        return {"arm": self.arm}

    def get_hyperparams(self) -> HyperparamSet:
        return HyperparamSet({})

    def set_hyperparams(self, hp: HyperparamSet) -> None:
        pass

    def save_weights(self, path: str) -> None:
        Path(path).write_text(json.dumps(self.arm), "utf-8")

    def load_weights(self, path: str) -> None:
        self.arm = json.loads(Path(path).read_text("utf-8"))


def test_watchdog_trains_again_when_the_regime_changes(tmp_path: Path) -> None:
    agent = OneArm()
    pipeline = LivePipeline(TwoRegimes(), every_n_steps=WINDOW)
    report = RLOptimizer(
        agent,
        pipeline,
        checkpoint_dir=tmp_path,
        plateau_threshold=2,
        dormant_threshold=4,
        backoff_factor=1.0,
        max_interval_episodes=3,
        watchdog=True,
        max_episodes=50,
        seed=0,
    ).run()
    lines = (tmp_path / "events.jsonl").read_text("utf-8").splitlines()
    windows = [event for event in map(json.loads, lines) if event["event"] == "window"]
    watching = [w["window"] for w in windows if w["state"] == LoopState.WATCHDOG.value]
    change = CHANGE_AT // WINDOW
    degraded = next(w["window"] for w in windows if "Reactivate" in w["decisions"])
    assert report.stop_reason is StopReason.MAX_WINDOWS
    assert watching[0] < change < degraded <= change + 3
    # It watched without learning, learned again, and watches again with what it has learned.
    assert not set(agent.learned) & set(watching)
    assert degraded in agent.learned
    assert watching[-1] == 49
    assert [w["score"] for w in windows if w["score"] is not None][-1] == WINDOW
