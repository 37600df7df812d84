"""What two Keras models must share in order to be run as one."""

import json
from collections.abc import Hashable, Mapping
from typing import Any, cast

from optix_tf._tensorflow import Model

_NOT_AT_INFERENCE = ("_initializer", "_regularizer", "_constraint")
_NOT_STRUCTURE = frozenset({"build_config", "compile_config", "seed", "trainable"})


def model_key(model: Model) -> Hashable:
    """Equal for models that differ in weights, and in the names of layers, alone.

    A class without a configuration of its own is known by itself and the shapes of its variables;
    what else tells two models apart shows when their outputs are compared.
    """
    shapes = tuple((tuple(v.shape), str(v.dtype)) for v in model.variables)
    n_trainable = len(model.trainable_variables)
    kind: type[object] = model.__class__
    return kind, n_trainable, shapes, _configuration(model)


def _configuration(model: Model) -> str:
    try:
        config: Any = model.get_config()
        names = {name: f"#{i}" for i, name in enumerate(_names(model))}
        return json.dumps(_stripped(config, names), sort_keys=True, default=repr)
    except (NotImplementedError, TypeError, ValueError, RuntimeError):
        return ""


def _names(model: Model) -> list[str]:
    """Names of a model and its layers, nested ones included, in their order."""
    names = [str(model.name)]
    for layer in getattr(model, "layers", []):
        names += _names(layer)
    return names


def _stripped(value: Any, names: Mapping[str, str]) -> Any:
    """Replace names by numbers and leave out what makes no difference at inference."""
    if isinstance(value, str):
        return names.get(value, value)
    if isinstance(value, Mapping):
        items = cast("Mapping[str, Any]", value).items()
        return {
            str(key): _stripped(item, names)
            for key, item in items
            if key not in _NOT_STRUCTURE and not str(key).endswith(_NOT_AT_INFERENCE)
        }
    if isinstance(value, list | tuple):
        return [_stripped(item, names) for item in cast("list[Any]", value)]
    return value
