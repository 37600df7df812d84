"""Process CPU time and wall time of one action."""

import time
from collections.abc import Callable


def seconds(action: Callable[[], object]) -> dict[str, float]:
    """Run an action once: its `cpu_s`, all threads of this process, and `wall_s`."""
    cpu_began, wall_began = time.process_time(), time.perf_counter()
    action()
    return {"cpu_s": time.process_time() - cpu_began, "wall_s": time.perf_counter() - wall_began}


def cpu_seconds(action: Callable[[], object]) -> float:
    """CPU seconds of running an action once, all threads of this process."""
    return seconds(action)["cpu_s"]
