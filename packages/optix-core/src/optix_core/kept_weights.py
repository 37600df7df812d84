"""Keeps an agent's weights for as long as a lesson takes, to put them back if it was a bad one."""

import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from optix_core._atomic_io import DIRECTORY_MODE, open_directory, remove_tree
from optix_core.base_agent import BaseAgent

logger = logging.getLogger(__name__)

_WEIGHTS = "learner"


@contextmanager
def kept_weights(agent: BaseAgent, folder: Path) -> Generator[Callable[[], bool]]:
    """Save the weights into a folder that is there during the block alone.

    Args:
        agent: whose weights.
        folder: in the directory of the run, whose lock the caller holds; what a kill left there
            goes.

    Yields:
        Puts them back; returns whether it did. A folder that could not be written is a warning:
        training need not end for it.
    """
    try:
        is_kept = _save(agent, folder)

        def put_back() -> bool:
            if is_kept:
                agent.load_weights(str(folder / _WEIGHTS))
            return is_kept

        yield put_back
    finally:
        with suppress(OSError):
            _remove(folder)


def _save(agent: BaseAgent, folder: Path) -> bool:
    try:
        _remove(folder)
        Path(folder).mkdir(mode=DIRECTORY_MODE)
        agent.save_weights(str(folder / _WEIGHTS))
    except OSError as error:
        logger.warning("no lesson can be taken back: %s", error)
        return False
    return True


def _remove(folder: Path) -> None:
    with open_directory(folder.parent) as parent:
        remove_tree(parent, folder.name)
