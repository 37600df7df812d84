"""The pipelines of a run, and the agent that plays them."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, final

from optix_core.abilities import (
    HasState,
    NamesLosses,
    Seedable,
    Stoppable,
    ValidatesOnSeeds,
    supports,
)
from optix_core.base_agent import BaseAgent
from optix_core.base_pipeline import BasePipeline
from optix_core.episode_data import EpisodeData
from optix_core.seeds import SeedPlan

logger = logging.getLogger(__name__)


@final
class Stage:
    """Opens and closes both pipelines, seeds them and seats the agent in them."""

    def __init__(
        self, pipeline: BasePipeline, val_pipeline: BasePipeline | None, seeds: SeedPlan
    ) -> None:
        """Take the pipelines of a run; nothing is opened before `open`."""
        self._pipeline = pipeline
        self._val_pipeline = val_pipeline
        self._seeds = seeds
        self._windows: Iterator[EpisodeData] | None = None

    @property
    def pipelines(self) -> list[BasePipeline]:
        """Training, then validation where there is one."""
        held_out = [] if self._val_pipeline is None else [self._val_pipeline]
        return [self._pipeline, *held_out]

    @property
    def closers(self) -> list[Callable[[], None]]:
        """What closes each pipeline, to be tried one by one."""
        return [pipeline.teardown for pipeline in self.pipelines]

    def open(self, agent: BaseAgent) -> None:
        """Seat the first learner, seed what can be seeded, set the pipelines up."""
        self.seat(agent, n_rounds=1)
        if supports(self._val_pipeline, ValidatesOnSeeds):
            self._val_pipeline.validate_on(self._seeds.integer("validation"))
        for pipeline in self.pipelines:
            pipeline.setup()

    def stop(self) -> None:
        """Let a pipeline that waits for its next window wait no longer."""
        for pipeline in self.pipelines:
            if supports(pipeline, Stoppable):
                pipeline.stop()

    def next_window(self) -> EpisodeData | None:
        """Play the next training window; None where the pipeline has ended."""
        if self._windows is None:
            self._windows = iter(self._pipeline.episodes())
        return next(self._windows, None)

    def seat(self, agent: BaseAgent, *, n_rounds: int) -> None:
        """Let an agent play from here on; training starts anew on the seed of its round.

        Args:
            agent: the learner of the round.
            n_rounds: rounds begun so far, this one included.
        """
        for pipeline in self.pipelines:
            pipeline.set_agent(agent)
        if supports(self._pipeline, Seedable):
            self._pipeline.seed(self._seeds.integers("training", n_rounds)[-1])

    def state_dict(self) -> dict[str, Any]:
        """Return the state of each pipeline; None for one that has none."""
        states = [p.state_dict() if supports(p, HasState) else None for p in self.pipelines]
        return {"pipelines": states}

    def put_back(self, state: Mapping[str, Any]) -> list[str]:
        """Put back what `state_dict` returned; returns what could not be restored."""
        losses: list[str] = []
        for pipeline, of_pipeline in zip(self.pipelines, state["pipelines"], strict=True):
            if not supports(pipeline, HasState) or of_pipeline is None:
                name = type(pipeline).__name__
                losses.append(f"{name} has no state_dict: it begins anew where it began at first")
                continue
            pipeline.load_state_dict(of_pipeline)
            if supports(pipeline, NamesLosses):
                losses.extend(pipeline.losses)
        return losses


def try_all(steps: Sequence[Callable[[], object]]) -> list[BaseException]:
    """Take every step, whatever the others raise; returns what they raised, logged.

    An interruption is no reason to leave the rest open either: `on_loop_stop` may take a while.
    """
    errors: list[BaseException] = []
    for step in steps:
        try:
            step()
        except BaseException as error:
            logger.exception("closing the run raised")
            errors.append(error)
    return errors
