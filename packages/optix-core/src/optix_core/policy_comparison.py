"""Lets any policy play held-out episodes of a run, so that callbacks can compare policies."""

from typing import final

from optix_core.base_agent import BaseAgent
from optix_core.environment_pipeline import draw_seeds
from optix_core.window_judge import WindowJudge


@final
class PolicyComparison:
    """Plays fresh episodes on seeds used for nothing else, the same ones for every policy."""

    def __init__(self, judge: WindowJudge, *, seed: int, confirm: bool) -> None:
        """Play with this judge, on seeds drawn from this one; never with `confirm=False`."""
        self._judge = judge
        self._seed = seed
        self._confirm = confirm

    def returns_of(
        self, agent: BaseAgent, n_episodes: int, *, seated: BaseAgent
    ) -> tuple[float, ...]:
        """Return what a policy earns in each of so many episodes, in the order of their seeds.

        () where no fresh episodes can be played, or the score is not their finite mean.

        Args:
            agent: who plays; needs not be one that the run trains.
            n_episodes: at least 2. A longer sample begins with the shorter one, save in a vector
                environment, which plays a batch on one seed.
            seated: who sits in the validation pipeline afterwards.
        """
        if not self._confirm or not self._judge.can_play_fresh:
            return ()
        try:
            standing = self._judge.play_here(agent, draw_seeds(self._seed, n_episodes))
        finally:
            self._judge.seat(seated)
        return () if standing is None else standing.returns
