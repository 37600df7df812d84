"""The state of a NumPy generator as JSON scalars and arrays, to be stored and put back."""

from collections.abc import Mapping
from typing import Any, cast

import numpy as np

from optix_core.errors import CheckpointCorruptError

_BIT_GENERATORS: dict[str, type[np.random.BitGenerator]] = {
    kind.__name__: kind
    for kind in (
        np.random.MT19937,
        np.random.PCG64,
        np.random.PCG64DXSM,
        np.random.Philox,
        np.random.SFC64,
    )
}
_NAME = "bit_generator"


def generator_state(rng: np.random.Generator) -> dict[str, Any]:
    """Return the state of a generator; its integers as decimal text, being wider than 64 bits."""
    return _packed(rng.bit_generator.state)


def generator_from_state(state: Mapping[str, Any]) -> np.random.Generator:
    """Make a generator that goes on where `generator_state` was called.

    Raises:
        CheckpointCorruptError: if it is no such state, or of a bit generator that NumPy lacks.
    """
    kind = _BIT_GENERATORS.get(state.get(_NAME, ""))
    if kind is None:
        raise CheckpointCorruptError(
            f"unknown bit generator {state.get(_NAME)!r}; known are {', '.join(_BIT_GENERATORS)}"
        )
    bit_generator = kind()
    try:
        bit_generator.state = _unpacked(state)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise CheckpointCorruptError(f"not a state of {kind.__name__}: {error}") from error
    return np.random.Generator(bit_generator)


def _packed(state: Mapping[str, Any]) -> dict[str, Any]:
    packed: dict[str, Any] = {}
    for name, value in state.items():
        if isinstance(value, Mapping):
            packed[name] = _packed(cast("Mapping[str, Any]", value))
        else:
            packed[name] = str(value) if isinstance(value, int) else value
    return packed


def _unpacked(state: Mapping[str, Any]) -> dict[str, Any]:
    unpacked: dict[str, Any] = {}
    for name, value in state.items():
        if isinstance(value, Mapping):
            unpacked[name] = _unpacked(cast("Mapping[str, Any]", value))
        else:
            is_text = isinstance(value, str) and name != _NAME
            unpacked[name] = int(value) if is_text else value
    return unpacked
