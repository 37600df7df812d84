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
        names = {name: f"#{i}" for i, name in enumerate([str(model.name), *_names(config)])}
        return json.dumps(_stripped(config, names), sort_keys=True, default=repr)
    except (NotImplementedError, TypeError, ValueError, RuntimeError):
        return ""


def _names(config: Any) -> list[str]:
    """Names of the layers that a configuration describes, nested ones included, in its order.

    A model's list of layers leaves some out, such as the input of a Sequential.
    """
    if isinstance(config, list | tuple):
        return [name for part in cast("list[Any]", config) for name in _names(part)]
    if not isinstance(config, Mapping):
        return []
    described = cast("Mapping[str, Any]", config)
    own = described.get("config")
    is_layer = isinstance(own, Mapping) and not str(described.get("class_name")).endswith("Policy")
    name: Any = cast("Mapping[str, Any]", own).get("name") if is_layer else None
    inner = [name for part in described.values() for name in _names(part)]
    return [name, *inner] if isinstance(name, str) else inner


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
