"""What a run says that it was made of; a module among it has to be typed again."""

from collections.abc import Mapping
from typing import Any

from optix_cli.environments import MODULE_MARK
from optix_core.errors import ConfigurationError

_OPTIONS = {"agent": "--agent", "env_id": "--env"}


def what_to_build(train: Mapping[str, Any], name: str, typed: str | None) -> str:
    """Return what was typed now, else what the run was trained with.

    Args:
        train: what `optix train` wrote down.
        name: `agent` or `env_id`.
        typed: what was typed now; None for nothing.

    Raises:
        ConfigurationError: if that names a module, which is never imported out of a file.
    """
    if typed is not None:
        return typed
    option, recorded = _OPTIONS[name], train.get(name)
    if not isinstance(recorded, str):
        raise ConfigurationError(
            f"the run does not say its {name}, it was not made by optix train; give {option}"
        )
    if MODULE_MARK in recorded:
        raise ConfigurationError(
            f"the run was trained with {option} {recorded}; give it again, since a module is "
            "imported only when it is typed"
        )
    return recorded
