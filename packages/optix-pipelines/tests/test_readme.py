"""The README's examples run as they stand."""

import re
from pathlib import Path
from typing import Any

from optix_core import RLOptimizer, RunReport
from optix_core.testing import FakeAgent

README = Path(__file__).parents[1] / "README.md"
VECTOR, LIVE = re.findall(
    r"^```python\n(.*?)^```", README.read_text("utf-8"), re.MULTILINE | re.DOTALL
)


def run(example: str, folder: Path) -> RunReport:
    capped = example.replace("seed=0)", "seed=0, max_episodes=2, checkpoint_dir=folder)")
    names: dict[str, Any] = {"agent": FakeAgent(), "folder": folder}
    exec(compile(capped, "README", "exec"), names)  # noqa: S102
    optimizer: RLOptimizer = names["optimizer"]
    return optimizer.run()


def test_vector_example_runs(tmp_path: Path) -> None:
    report = run(VECTOR, tmp_path)
    assert report.windows == 2
    assert report.best_n_episodes == 30  # fresh ones, since its score was confirmed


def test_live_example_runs(tmp_path: Path) -> None:
    report = run(LIVE, tmp_path)
    assert report.windows == 2
    assert report.steps == 200
    assert report.best_n_episodes is None
