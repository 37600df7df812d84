"""The pipelines of a run as its branches play them."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, final

from optix_core.abilities import HasState, PlaysEpisodes, Seedable, ValidatesOnSeeds, supports
from optix_core.base_pipeline import BasePipeline
from optix_core.environment_pipeline import draw_seeds
from optix_core.episode_data import EpisodeData
from optix_core.errors import ConfigurationError, PipelineError
from optix_core.examination import windows_with


@final
class BranchStage:
    """Begins training anew on a seed, and plays held-out windows on a seed.

    Without a validation pipeline the training pipeline plays the held-out windows, exploring as
    ever, and nobody learns from them. One that does not take seeds (`ValidatesOnSeeds`) plays its
    next windows: then policies are not compared on the same episodes.
    """

    def __init__(
        self,
        pipeline: BasePipeline,
        val_pipeline: BasePipeline | None,
        *,
        play: Callable[[], EpisodeData | None],
        validation_seed: int,
    ) -> None:
        """Take the pipelines of a run.

        Args:
            pipeline: where training windows come from.
            val_pipeline: where held-out windows come from, if there is one.
            play: plays the next training window; None where there is none.
            validation_seed: what the run validates on, to be put back.
        """
        self._pipeline = pipeline
        self._val_pipeline = val_pipeline
        self._play = play
        self._validation_seed = validation_seed
        self._held_out: Iterator[EpisodeData] | None = None

    @property
    def has_held_out(self) -> bool:
        """Whether there is a validation pipeline."""
        return self._val_pipeline is not None

    def begin(self, seed: int) -> None:
        """Begin training anew on a seed.

        Raises:
            ConfigurationError: if the training pipeline is live or takes no seed.
        """
        pipeline = self._pipeline
        if pipeline.is_live or not supports(pipeline, Seedable):
            raise ConfigurationError(
                f"{type(pipeline).__name__} cannot be begun anew on a seed, so there are no "
                "branches; give a pipeline with seed(), or a tuner that does not branch"
            )
        pipeline.seed(seed)

    def next_window(self) -> EpisodeData:
        """Play a training window.

        Raises:
            PipelineError: if the pipeline ended.
        """
        return _there(self._play(), self._pipeline)

    def examine(self, seed: int, n_episodes: int) -> Sequence[EpisodeData]:
        """Play held-out windows on a seed, until so many episodes have ended in them."""
        pipeline = self._val_pipeline
        if pipeline is None:
            self.begin(seed)
            return windows_with(self.next_window, n_episodes)
        if supports(pipeline, PlaysEpisodes):
            return [pipeline.play_episodes(draw_seeds(seed, n_episodes))]
        if not supports(pipeline, ValidatesOnSeeds):
            return windows_with(self._next_held_out, n_episodes)
        with self._validation_put_back(pipeline):
            pipeline.validate_on(seed)
            return windows_with(self._next_held_out, n_episodes)

    def examine_on(self, seeds: Sequence[int]) -> EpisodeData:
        """Play one held-out episode on each of these seeds.

        Raises:
            ConfigurationError: if no validation pipeline can.
        """
        pipeline = self._val_pipeline
        if not supports(pipeline, PlaysEpisodes):
            raise ConfigurationError(
                "held-out episodes on given seeds need a validation pipeline with play_episodes(), "
                f"got {type(pipeline).__name__}"
            )
        return pipeline.play_episodes(seeds)

    @contextmanager
    def _validation_put_back(self, pipeline: ValidatesOnSeeds) -> Generator[None]:
        """Let the run's own validation go on afterwards where it was, as far as it has a state."""
        state = _state_of(pipeline)
        try:
            yield
        finally:
            pipeline.validate_on(self._validation_seed)
            if supports(pipeline, HasState) and state is not None:
                pipeline.load_state_dict(state)

    def _next_held_out(self) -> EpisodeData:
        pipeline = self._val_pipeline or self._pipeline
        window = None if self._held_out is None else next(self._held_out, None)
        if window is None:
            # A validation pipeline that ends is begun anew, as in the run itself.
            self._held_out = iter(pipeline.episodes())
            window = next(self._held_out, None)
        return _there(window, pipeline)


def _state_of(pipeline: object) -> dict[str, Any] | None:
    return pipeline.state_dict() if supports(pipeline, HasState) else None


def _there(window: EpisodeData | None, pipeline: BasePipeline) -> EpisodeData:
    if window is None:
        raise PipelineError(
            f"{type(pipeline).__name__} ended while a branch was played; give one that goes on"
        )
    return window
