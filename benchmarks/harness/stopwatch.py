"""CPU time inside wrapped functions, less what the clock itself takes."""

import time
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

import numpy as np


class Stopwatch:
    """Adds up the CPU time of this process inside the functions that it wraps.

    A call inside another wrapped one counts once. The first call of each function, in which things
    compile, is kept apart.
    """

    def __init__(self) -> None:
        self.cpu_s = 0.0
        """Inside, first calls left out."""
        self.first_calls_s = 0.0
        """Inside the first call of each."""
        self.calls = 0
        """How often a wrapped function was entered from outside."""
        self._is_inside = False

    @property
    def whole_s(self) -> float:
        """Inside, first calls included."""
        return self.cpu_s + self.first_calls_s

    def timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function, which adds its CPU time here."""
        is_first = True

        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal is_first
            if self._is_inside:
                return function(*args, **kwargs)
            self._is_inside = True
            begin = time.process_time()
            try:
                return function(*args, **kwargs)
            finally:
                spent = time.process_time() - begin
                self._is_inside = False
                self.calls += 1
                if is_first:
                    self.first_calls_s += spent
                    is_first = False
                else:
                    self.cpu_s += spent

        return call

    def wrap(self, owner: object, names: Iterable[str]) -> None:
        """Wrap those of an object's methods that it has."""
        for name in names:
            method = getattr(owner, name, None)
            if method is not None:
                vars(owner)[name] = self.timed(method)


def cost_of_watching(n_calls: int = 20_000) -> tuple[float, float]:
    """CPU seconds that watching a call takes: what the watch counts itself, and what it does not.

    Both are to be taken off: the one from what was inside, the sum from the whole.
    """
    watch = Stopwatch()
    watched, bare = watch.timed(_nothing), _nothing

    def cpu_s(function: Callable[[], None]) -> float:
        begin = time.process_time()
        for _ in range(n_calls):
            function()
        return (time.process_time() - begin) / n_calls

    inside, outside = list[float](), list[float]()
    for _ in range(9):
        watch.cpu_s = 0.0
        more = cpu_s(watched) - cpu_s(bare)
        counted = watch.cpu_s / n_calls
        inside.append(counted)
        outside.append(more - counted)
    return float(np.median(inside)), float(np.median(outside))


def _nothing() -> None:
    pass
