"""What every pipeline must do, as a suite of tests to inherit."""

from abc import ABC, abstractmethod
from itertools import islice, pairwise
from typing import Any, cast

import numpy as np
from numpy.testing import assert_allclose, assert_equal

from optix_core._state_tree import pack, unpack
from optix_core.abilities import (
    HasState,
    NamesLosses,
    PlaysEpisodes,
    Seedable,
    ValidatesOnSeeds,
    supports,
)
from optix_core.base_agent import BaseAgent
from optix_core.base_pipeline import BasePipeline
from optix_core.episode_data import EpisodeData
from optix_core.errors import OptixError
from optix_core.testing.fake_agent import FakeAgent, FakeStatefulAgent

_FIELDS = ("observations", "actions", "rewards", "terminated", "truncated", "next_observations")


class PipelineContract(ABC):
    """Inherit this in a test class, say how to make a pipeline, and let pytest collect it.

    Pipelines that are `Seedable`, `ValidatesOnSeeds` or `PlaysEpisodes` are held to these
    promises too.
    """

    goes_on_across_windows = True
    """Whether an episode in progress goes on in the next window."""

    @abstractmethod
    def make_pipeline(self) -> BasePipeline:
        """Make a pipeline without an agent, the same each time."""

    def draw_action(self, rng: np.random.Generator) -> Any:
        """Make a random action that the environment takes; by default 0 or 1."""
        return int(rng.integers(2))

    def test_windows_are_never_empty(self) -> None:
        """Each window has rows, and the default evaluator can read it."""
        for window in self._play(3):
            _check(isinstance(window, EpisodeData), f"expected EpisodeData, got {type(window)}")  # pyright: ignore[reportUnnecessaryIsInstance]
            _check(window.length > 0, "a window holds no step")
            _check(bool(np.isfinite(window.episode_returns).all()), "a return is not finite")

    def test_row_continues_the_row_before(self) -> None:
        """`next_observations[t]` is `observations[t + 1]` unless row t ended an episode."""
        for window in self._play(3):
            goes_on = _as_columns(window, ~window.dones)[:-1]
            if window.valid is not None:
                goes_on &= _as_columns(window, window.valid)[:-1]
            following = _as_columns(window, window.observations)[1:]
            successors = _as_columns(window, window.next_observations)[:-1]
            assert_equal(following[goes_on], successors[goes_on])

    def test_episode_goes_on_in_the_next_window(self) -> None:
        """No reset happens between windows, and returns are carried over.

        Where `metadata["successor_known"]` says that what follows had not come yet, no row can
        show it.
        """
        windows = self._play(4) if self.goes_on_across_windows else []
        for window, following in pairwise(windows):
            known = window.metadata.get("successor_known", np.True_)
            goes_on = _as_columns(window, ~window.dones & known)[-1]
            last = _as_columns(window, window.next_observations)[-1]
            first = _as_columns(following, following.observations)[0]
            assert_equal(first[goes_on], last[goes_on])
            before = following.returns_before
            _check(before is not None, "returns_before is missing")
            assert_allclose(np.asarray(before), window.returns_after, rtol=1e-9, atol=1e-9)

    def test_windows_stay_as_they_were(self) -> None:
        """Collecting goes on in other memory than that of the windows handed out."""
        pipeline = self._seated(self._agent())
        windows = pipeline.episodes()
        first = next(windows)
        before = {field: getattr(first, field).copy() for field in _FIELDS}
        second, _ = next(windows), next(windows)
        for field in _FIELDS:
            assert_equal(getattr(first, field), before[field])
            shares = np.shares_memory(getattr(first, field), getattr(second, field))
            _check(not shares, f"{field} of two windows share memory")
        shares = np.shares_memory(first.observations, first.next_observations)
        _check(not shares, "observations and next_observations share memory")
        pipeline.teardown()

    def test_needs_an_agent(self) -> None:
        """Collecting without an agent is an error of ours, not of the interpreter."""
        pipeline = self.make_pipeline()
        pipeline.setup()
        try:
            next(iter(pipeline.episodes()))
        except OptixError:
            return
        finally:
            pipeline.teardown()
        raise AssertionError("collecting without an agent did not raise an OptixError")

    def test_agent_plays_from_the_next_window_on(self) -> None:
        """`set_agent` takes effect at the next window of an iterator in use."""
        # Without HasState, so that a validating pipeline does not put the counters back.
        first = FakeAgent(draw_action=self.draw_action)
        second = FakeAgent(draw_action=self.draw_action)
        pipeline = self._seated(first)
        windows = pipeline.episodes()
        next(windows)
        played = first.calls["act"]
        pipeline.set_agent(second)
        next(windows)
        _check(played > 0, "the first agent did not play")
        _check(first.calls["act"] == played, "the first agent played on after set_agent")
        _check(second.calls["act"] > 0, "the second agent did not play")
        pipeline.teardown()

    def test_error_of_the_agent_leaves_as_raised(self) -> None:
        """What the agent raises is not wrapped, and the pipeline can be torn down after it."""
        error = RuntimeError("from act")
        pipeline = self._seated(self._agent(raise_at={"act": 2}, error=error))
        raised = None
        try:
            next(pipeline.episodes())
        except RuntimeError as caught:
            raised = caught
        _check(raised is error, f"expected the agent's own error, got {raised!r}")
        pipeline.teardown()

    def test_teardown_is_safe_at_any_time(self) -> None:
        """Before `setup`, after it, and twice."""
        self.make_pipeline().teardown()
        pipeline = self._seated(self._agent())
        pipeline.teardown()
        pipeline.teardown()

    def test_seed_repeats_the_windows(self) -> None:
        """`Seedable`: one seed, one sequence of windows, also in the middle of an episode."""
        runs: list[list[EpisodeData]] = []
        for n_before in (0, 1):
            pipeline = self.make_pipeline()
            seedable: object = pipeline
            if not supports(seedable, Seedable):
                return
            pipeline.set_agent(self._agent())
            pipeline.setup()
            list(islice(pipeline.episodes(), n_before))
            pipeline.set_agent(self._agent())
            seedable.seed(5)
            runs.append(list(islice(pipeline.episodes(), 3)))
            pipeline.teardown()
        _check_same_windows(*runs)

    def test_validation_repeats_and_leaves_no_trace(self) -> None:
        """`ValidatesOnSeeds`: fixed episodes; the agent's generator stays where it was."""
        runs: list[list[EpisodeData]] = []
        for _ in range(2):
            pipeline = self.make_pipeline()
            validating: object = pipeline
            if not supports(validating, ValidatesOnSeeds):
                return
            agent = self._agent()
            before = agent.state_dict()
            validating.validate_on(11)
            pipeline.set_agent(agent)
            pipeline.setup()
            runs.append(list(islice(pipeline.episodes(), 3)))
            assert_equal(agent.state_dict(), before)
            pipeline.teardown()
        _check_same_windows(*runs)

    def test_resumes_where_it_was(self) -> None:
        """`HasState`: another one, made alike, goes on as this one does; but for live sources."""
        agent, pipeline = self._agent(), self.make_pipeline()
        resumable: object = pipeline
        if pipeline.is_live or not supports(resumable, HasState):
            return
        pipeline.set_agent(agent)
        seedable: object = pipeline
        if supports(seedable, Seedable):
            seedable.seed(5)
        pipeline.setup()
        windows = pipeline.episodes()
        list(islice(windows, 3))
        tree, arrays = pack([agent.state_dict(), resumable.state_dict()], "state")
        copies = {name: array.copy() for name, array in arrays.items()}
        whole = list(islice(windows, 3))
        pipeline.teardown()
        of_agent, of_pipeline = unpack(tree, copies)
        agent, pipeline = self._agent(), self.make_pipeline()
        resuming: object = pipeline
        _check(supports(resuming, HasState), "two pipelines made alike differ in abilities")
        agent.load_state_dict(of_agent)
        pipeline.set_agent(agent)
        pipeline.setup()
        cast("HasState", resuming).load_state_dict(of_pipeline)
        losses = resuming.losses if supports(resuming, NamesLosses) else ()
        if not losses:
            _check_same_windows(whole, list(islice(pipeline.episodes(), 3)))
        pipeline.teardown()

    def test_other_episodes_leave_the_windows_as_they_were(self) -> None:
        """`PlaysEpisodes`: one episode a seed, repeatable, without a trace in agent or windows."""
        runs: list[list[EpisodeData]] = []
        others_seeds = (3, 1, 4)
        for seeds in ((), others_seeds, others_seeds):
            agent = self._agent()
            pipeline = self._seated(agent)
            playing: object = pipeline
            if not supports(playing, PlaysEpisodes):
                return
            windows = pipeline.episodes()
            first, before = next(windows), agent.state_dict()
            others = [playing.play_episodes(seeds) for _ in range(2) if seeds]
            assert_equal(agent.state_dict(), before)
            runs.append([first, next(windows), *others])
            pipeline.teardown()
        _check_same_windows(runs[0], runs[1][:2])
        _check_same_windows(runs[1], runs[2])
        _check_same_windows(runs[1][2:3], runs[1][3:])
        n_played = len(runs[1][2].returns_by_environment)
        _check(n_played == len(others_seeds), f"expected one episode a seed, got {n_played}")

    def _agent(self, **options: Any) -> FakeStatefulAgent:
        return FakeStatefulAgent(draw_action=self.draw_action, **options)

    def _seated(self, agent: BaseAgent) -> BasePipeline:
        pipeline = self.make_pipeline()
        pipeline.set_agent(agent)
        pipeline.setup()
        return pipeline

    def _play(self, n_windows: int) -> list[EpisodeData]:
        pipeline = self._seated(FakeAgent(draw_action=self.draw_action))
        windows = list(islice(pipeline.episodes(), n_windows))
        pipeline.teardown()
        return windows


def _as_columns(window: EpisodeData, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Give the arrays of one environment the second axis that those of many have."""
    return array[:, np.newaxis] if window.rewards.ndim == 1 else array


def _check_same_windows(first: list[EpisodeData], second: list[EpisodeData]) -> None:
    _check(len(first) == len(second), "two runs of one seed differ in length")
    for one, other in zip(first, second, strict=True):
        for field in (*_FIELDS, "valid"):
            assert_equal(getattr(one, field), getattr(other, field))


def _check(condition: bool, message: str) -> None:  # noqa: FBT001
    if not condition:
        raise AssertionError(message)
