"""Examples of the packages' own READMEs that need more than one package run as they stand."""

import re
from pathlib import Path
from typing import Any

import pytest

from optix_core import RLOptimizer, RunReport

PACKAGES = Path(__file__).parents[1] / "packages"


def example_of(package: str) -> str:
    """The one Python example of a package's README."""
    text = (PACKAGES / package / "README.md").read_text("utf-8")
    (example,) = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return example


@pytest.mark.parametrize("package", ["optix-tf", "tensor-optix"])
def test_example_trains(package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    construct = RLOptimizer.__init__

    def capped(self: RLOptimizer, *args: Any, **settings: Any) -> None:
        construct(self, *args, max_episodes=2, **settings)

    monkeypatch.setattr(RLOptimizer, "__init__", capped)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "readme"}
    exec(compile(example_of(package), package, "exec"), names)  # noqa: S102
    report: RunReport = names["report"]
    assert report.windows == 2
    assert report.best_n_episodes == 30  # the fresh ones that confirm a best
