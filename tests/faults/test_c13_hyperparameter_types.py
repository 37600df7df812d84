"""C13: hyperparameters come back with their types, or are refused before anything is written."""

import json
import math
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from optix_core import EvalMetrics, HyperparamSet
from optix_core.checkpoint_registry import CheckpointRegistry
from optix_core.errors import HyperparamError

from .registry_scene import WeightAgent
from .script import run_script

STORED: list[tuple[Any, Any]] = [
    (None, None),
    (True, True),
    (False, False),
    (0, 0),
    (-(2**80), -(2**80)),
    (1.0, 1.0),
    (-0.0, -0.0),
    (5e-324, 5e-324),
    (math.nan, math.nan),
    (-math.inf, -math.inf),
    ("", ""),
    ("1\n\u00e9\U0001f600\0", "1\n\u00e9\U0001f600\0"),
    ([1, 2.0, None, [True]], [1, 2.0, None, [True]]),
    ({"$float": {"a b": [{}]}}, {"$float": {"a b": [{}]}}),
    (np.float32(0.1), float(np.float32(0.1))),
    (np.int64(7), 7),
    (np.bool_(True), True),
    (np.str_("adam"), "adam"),
]


class Colour(Enum):
    RED = 1


REFUSED = [
    (1, 2), {1}, 1j, b"x", np.zeros(2), np.datetime64("2026-01-01"), Colour.RED, object(), len,
    "\ud800", {1: 2},
]  # fmt: skip


def test_eighteen_values_come_back_with_their_types_in_another_process(tmp_path: Path) -> None:
    assert len(STORED) == 18
    given = {f"value {number}": value for number, (value, _) in enumerate(STORED)}
    agent = WeightAgent()
    agent.set_hyperparams(HyperparamSet(given))
    saved = CheckpointRegistry(tmp_path).save(agent, EvalMetrics(1.0), HyperparamSet(given))
    wanted = [f"{type(value).__name__} {value!r}" for _, value in STORED]
    assert [
        f"{type(value).__name__} {value!r}" for value in saved.hyperparams.params.values()
    ] == wanted
    assert json.loads(run_script("read_hyperparams", tmp_path)) == wanted


@pytest.mark.parametrize("value", REFUSED, ids=lambda value: type(value).__name__)
def test_what_cannot_come_back_is_refused_before_anything_is_written(
    tmp_path: Path, value: Any
) -> None:
    root = tmp_path / "registry"
    with pytest.raises(HyperparamError, match="'odd'"):
        CheckpointRegistry(root).save(
            WeightAgent(), EvalMetrics(1.0), HyperparamSet({"fine": 1, "odd": value})
        )
    assert not root.exists()
