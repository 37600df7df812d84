"""Keras variables as named arrays, and back: exact, complete, and never half done."""

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from optix_core.errors import CheckpointError
from optix_tf._tensorflow import Model, Optimizer, tf

_LEARNING_RATE = "learning_rate"
_SHOWN = 4
"""So many differences are listed in an error."""


def variables_of(model: Model, optimizer: Optimizer) -> dict[str, Any]:
    """Name every variable of a model and its optimizer: weights, statistics, counters, slots.

    Names tell the place and the role, not Keras' own numbering of layers, which differs between
    two models of one architecture. The learning rate is left out: it is a hyperparameter.
    """
    named = {f"model/{i:03d}/{v.name}": v for i, v in enumerate(model.variables)}
    kind = type(optimizer).__name__
    slots = [v for v in optimizer.variables if v.name != _LEARNING_RATE]
    return named | {f"optimizer/{kind}/{i:03d}": v for i, v in enumerate(slots)}


def arrays_of(variables: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Copy variables into arrays."""
    return {name: _read(variable.value) for name, variable in variables.items()}


def shapes_of(arrays: Mapping[str, NDArray[Any]]) -> dict[str, tuple[int, ...]]:
    """Shapes by name."""
    return {name: array.shape for name, array in sorted(arrays.items())}


def assign_arrays(variables: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Put arrays into the variables of the same names, all of them or none.

    Raises:
        CheckpointError: if names, shapes or types do not match one to one.
    """
    problems = [f"{name} is missing" for name in variables if name not in arrays]
    problems += [f"{name} is not known here" for name in arrays if name not in variables]
    for name, variable in variables.items():
        if name in arrays:
            problems += _differences(name, variable, arrays[name])
    if problems:
        shown = "; ".join(problems[:_SHOWN]) + ("; …" if len(problems) > _SHOWN else "")
        raise CheckpointError(
            f"the file does not fit this model and optimizer: {shown}; build the agent as the one "
            "that was saved"
        )
    for name, variable in variables.items():
        # Keras' own assign converts first and reads back after: six times the time, for shapes and
        # dtypes that were just compared.
        tf.raw_ops.AssignVariableOp(resource=variable.value.handle, value=arrays[name])


def _read(variable: Any) -> NDArray[Any]:
    # A variable's own `numpy` makes a second tensor of what it has read: twice the time.
    return tf.raw_ops.ReadVariableOp(resource=variable.handle, dtype=variable.dtype).numpy()


def _differences(name: str, variable: Any, array: NDArray[Any]) -> list[str]:
    shape, kind = tuple(variable.shape), str(variable.dtype)
    if array.shape != shape:
        return [f"{name} has shape {array.shape} where {shape} is needed"]
    if str(array.dtype) != kind:
        return [f"{name} is {array.dtype} where {kind} is needed"]
    return []
