"""Reading back what a component's `state_dict` returned."""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from optix_core.errors import CheckpointCorruptError

T = TypeVar("T")


def read_state(kind: type[T], state: Mapping[str, Any], *, what: str) -> T:
    """Convert fields by name to the type that holds them.

    Args:
        kind: a dataclass. An int may stand for a float; a string is never read as a number.
        state: its fields; names that it does not know are passed over.
        what: what it is, for the error: "not a {what}".

    Raises:
        CheckpointCorruptError: if a field is missing, or of a wrong type.
    """
    try:
        return msgspec.convert(dict(state), kind)
    except msgspec.ValidationError as error:
        raise CheckpointCorruptError(f"not a {what}: {error}") from error
