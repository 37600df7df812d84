"""The README's example of rounds runs as it stands."""

import re
from pathlib import Path
from typing import Any

import pytest

from optix_core import StopReason
from optix_core.testing import FakeAgent, ScriptedPipeline

from .learning_policies import Picker
from .test_member_choice import HeldOut

README = Path(__file__).parents[1] / "README.md"


def example_with(words: str) -> str:
    blocks = re.findall(
        r"^```python\n(.*?)^```", README.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    (example,) = (block for block in blocks if words in block)
    return example


def test_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    example = example_with("max_spawns")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {
        "agent": FakeAgent(),
        "make_agent": FakeAgent,
        "pipeline": ScriptedPipeline(lambda _, window: [float(window % 7), float(window % 5)]),
    }
    exec(compile(example, "README", "exec"), names)  # noqa: S102
    report, status = names["report"], names["manager"].status()
    assert report.stop_reason in {StopReason.BUDGET_EXHAUSTED, StopReason.CONVERGED}
    assert report.rounds == 1 + status["spawn_count"]
    assert status["max_spawns"] == 2
    assert 1 <= status["ensemble_size"] <= 3


def test_example_of_a_choice_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    agents = [Picker(seed=seed) for seed in range(3)]
    names: dict[str, Any] = {"agents": agents, "episode_pipeline": HeldOut()}
    exec(compile(example_with("select_members"), "README", "exec"), names)  # noqa: S102
    weights = [member["weight"] for member in names["manager"].status()["agents"]]
    assert [i for i, weight in enumerate(weights) if weight > 0] == list(names["selection"].members)
    assert names["ensemble"].act_greedy([1.0, 0.0, 0.0, 0.0]) in {0, 1}
