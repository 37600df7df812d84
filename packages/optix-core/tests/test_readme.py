"""The README's example runs as it stands, and names what there is."""

import re
from pathlib import Path
from typing import Any

import pytest

import optix_core

TEXT = (Path(__file__).parents[1] / "README.md").read_text("utf-8")


def test_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    end = "window_size=200), seed=0)"
    assert end in example
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "readme"}
    capped = example.replace(end, f"{end[:-1]}, max_episodes=30)")
    exec(compile(capped, "README", "exec"), names)  # noqa: S102
    assert names["report"].windows <= 30
    assert names["report"].best_score > 0.8
    assert names["agent"].share() > 0.8
    left = {path.name for path in (tmp_path / "checkpoints").iterdir()}
    assert left >= {"run.toml", "events.jsonl", "manifest.json"}


def test_the_table_names_what_there_is() -> None:
    rows = [row.split("|")[1] for row in TEXT.splitlines() if row.startswith("| `")]
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert named
    assert set(named) <= set(optix_core.__all__)
