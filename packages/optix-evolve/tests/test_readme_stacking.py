"""The README's example of stacked members runs as it stands."""

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.testing import assert_allclose

README = Path(__file__).parents[1] / "README.md"


def test_example_runs() -> None:
    blocks = re.findall(
        r"^```python\n(.*?)^```", README.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    (example,) = (block for block in blocks if "StackedMLP" in block)
    names: dict[str, Any] = {}
    exec(compile(example, "README", "exec"), names)  # noqa: S102
    assert names["inference"].stacked == (tuple(range(100)),)
    expected = np.stack([member.act(names["observations"]) for member in names["members"]])
    assert_allclose(names["actions"], expected)
    assert_allclose(names["mean"], expected.mean(axis=0))
