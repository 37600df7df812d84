"""The README's example of rounds runs as it stands."""

import re
from pathlib import Path
from typing import Any

import pytest

from optix_core import StopReason
from optix_core.testing import FakeAgent, ScriptedPipeline

README = Path(__file__).parents[1] / "README.md"


def test_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = re.findall(
        r"^```python\n(.*?)^```", README.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    (example,) = (block for block in blocks if "PolicyManager(" in block)
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
