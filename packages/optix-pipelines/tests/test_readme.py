"""The README's example runs as it stands."""

import re
from pathlib import Path
from typing import Any

from optix_core import RLOptimizer
from optix_core.testing import FakeAgent

README = Path(__file__).parents[1] / "README.md"


def test_example_runs(tmp_path: Path) -> None:
    (example,) = re.findall(
        r"^```python\n(.*?)^```", README.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    capped = example.replace("seed=0)", "seed=0, max_episodes=2, checkpoint_dir=folder)")
    names: dict[str, Any] = {"agent": FakeAgent(), "folder": tmp_path}
    exec(compile(capped, "README", "exec"), names)  # noqa: S102
    optimizer: RLOptimizer = names["optimizer"]
    report = optimizer.run()
    assert report.windows == 2
    assert report.best_n_episodes == 10
