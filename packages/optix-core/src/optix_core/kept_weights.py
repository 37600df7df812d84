"""Keeps an agent's weights for as long as a lesson takes, to put them back if it was a bad one."""

import logging
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from optix_core.base_agent import BaseAgent

logger = logging.getLogger(__name__)


@contextmanager
def kept_weights(agent: BaseAgent) -> Generator[Callable[[], bool]]:
    """Save the weights into a temporary folder, which is gone after the block.

    Yields:
        Puts them back; returns whether it did. A folder that could not be written is a warning:
        training need not end for it.
    """
    with tempfile.TemporaryDirectory(prefix="optix-lesson-") as folder:
        path = str(Path(folder) / "learner")
        is_kept = _save(agent, path)

        def put_back() -> bool:
            if is_kept:
                agent.load_weights(path)
            return is_kept

        yield put_back


def _save(agent: BaseAgent, path: str) -> bool:
    try:
        agent.save_weights(path)
    except OSError as error:
        logger.warning("no lesson can be taken back: %s", error)
        return False
    return True
