"""What an environment is, and what is wrong with one that is none."""

import inspect
from collections.abc import Callable, Generator, Mapping, Sized
from contextlib import contextmanager
from typing import Any, Protocol, cast, runtime_checkable

from optix_core.errors import PipelineError
from optix_core.row_values import stack_rows

STEP_SIZE = 5
"""How many values a step returns."""


@runtime_checkable
class Environment(Protocol):
    """What is played: Gymnasium's two methods, no Gymnasium needed."""

    def reset(self, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        """Begin an episode; return (observation, info). Called with `seed=` where it takes one."""
        ...

    def step(self, action: Any, /) -> tuple[Any, Any, Any, Any, Any]:
        """Return (observation, reward, terminated, truncated, info)."""
        ...


@runtime_checkable
class Closeable(Protocol):
    """An environment that wants to be closed."""

    def close(self) -> Any:
        """Let go of what it holds."""
        ...


def takes_seed(reset: Callable[..., Any]) -> bool:
    """Whether `reset` can be called with `seed=`."""
    try:
        parameters = inspect.signature(reset).parameters
    except ValueError:  # not written in Python
        return True
    return "seed" in parameters or any(
        parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values()
    )


def is_reset(result: Any) -> bool:
    """Whether this is what `reset` has to return."""
    return _is_tuple(result, 2) and isinstance(result[1], Mapping)


def blame_step(result: Any, error: Exception) -> None:
    """Raise what is wrong with the result of a step, if anything is."""
    if not _is_tuple(result, STEP_SIZE):
        raise PipelineError(
            "env.step must return (observation, reward, terminated, truncated, info), got "
            f"{result!r}; wrap an environment of the older form in one that splits its `done`"
        ) from error
    _, reward, terminated, truncated, _ = result
    if not _is_scalar(reward, "biuf"):
        raise PipelineError(
            f"reward must be one real number, got {reward!r} of type {type(reward).__name__}; "
            "let env.step return a float"
        ) from error
    for name, flag in (("terminated", terminated), ("truncated", truncated)):
        if not _is_scalar(flag, "biu"):
            raise PipelineError(
                f"{name} must be True or False, got {flag!r} of type {type(flag).__name__}; "
                "let env.step return a bool"
            ) from error


@contextmanager
def restarting_on_error(
    rows: Sized, window_id: int, restart: Callable[[], None]
) -> Generator[None]:
    """Drop the episodes in progress where something raises, with a note that names the step."""
    try:
        yield
    except BaseException as error:
        restart()
        error.add_note(f"Optix: at step {len(rows)} of window {window_id}")
        raise


def _is_scalar(value: Any, kinds: str) -> bool:
    column = stack_rows([value])
    return column.ndim == 1 and column.dtype.kind in kinds


def _is_tuple(result: Any, size: int) -> bool:
    return isinstance(result, tuple) and len(cast("tuple[Any, ...]", result)) == size
