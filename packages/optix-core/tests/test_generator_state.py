"""A generator's state goes through JSON or arrays and comes back where it was."""

import json
from typing import Any

import numpy as np
import pytest

from optix_core.errors import CheckpointCorruptError
from optix_core.generator_state import generator_from_state, generator_state

KINDS = [
    np.random.MT19937,
    np.random.PCG64,
    np.random.PCG64DXSM,
    np.random.Philox,
    np.random.SFC64,
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_generator_goes_on_where_it_was(kind: type[np.random.BitGenerator]) -> None:
    rng = np.random.Generator(kind(3))
    rng.integers(10, size=3, dtype=np.uint32)  # leaves half a word buffered
    again = generator_from_state(generator_state(rng))
    assert rng.standard_normal(50).tolist() == again.standard_normal(50).tolist()
    assert rng.integers(9, size=5).tolist() == again.integers(9, size=5).tolist()


def test_the_default_generator_goes_through_json_without_wide_integers() -> None:
    rng = np.random.default_rng(1)
    state = generator_state(rng)
    assert all(isinstance(value, str) for value in state["state"].values())
    again = generator_from_state(json.loads(json.dumps(state)))
    assert rng.random() == again.random()


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"bit_generator": "os.system"},
        {"bit_generator": "PCG64"},
        {"bit_generator": "PCG64", "state": "x"},
        {"bit_generator": "PCG64", "state": {"state": "1", "inc": "-1"}},
    ],
)
def test_what_is_no_state_is_refused(state: dict[str, Any]) -> None:
    with pytest.raises(CheckpointCorruptError, match=r"bit generator|not a state of PCG64"):
        generator_from_state(state)
