"""The face of evolution: who is in the ensemble, what each weighs, how many spawns are left."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TextIO, final

from optix_core import BaseAgent, BasePipeline, CheckpointRegistry, EvalMetrics, SeedPlan
from optix_core.abilities import PlaysEpisodes, supports
from optix_core.environment_pipeline import draw_seeds
from optix_core.errors import ConfigurationError
from optix_evolve.adaptive_noise import NoiseLimits, adaptive_noise
from optix_evolve.ensemble import Ensemble
from optix_evolve.ensemble_policy import EnsemblePolicy
from optix_evolve.ensemble_selection import SELECTION_EPISODES, Selection
from optix_evolve.member_choice import choose_members
from optix_evolve.meta_controller import DecisionRule
from optix_evolve.policy_manager_callback import PolicyManagerCallback
from optix_evolve.regime_detector import RegimeDetector
from optix_evolve.score_window import Signals
from optix_evolve.training_report import render_training_report


@final
class PolicyManager:
    """Keeps the members of an ensemble, their weights and the spawn budget.

    It decides nothing by itself: `as_callback` gives the loop a callback that evolves the members
    at every DORMANT, by the rules of `PolicyManagerCallback`.

    Args of the constructor:
        registry: where the run keeps its snapshots; `RLOptimizer` uses "./checkpoints" by default.
        score_window: scores kept of each member, at least 1.
        max_spawns: variants to spawn at most; None for no limit.
        max_ensemble_size: members beyond which the weakest are pruned; None for no limit.

    Raises:
        ConfigurationError: if a number is out of its range.
    """

    def __init__(
        self,
        registry: CheckpointRegistry,
        score_window: int = 10,
        max_spawns: int | None = None,
        max_ensemble_size: int | None = None,
    ) -> None:
        self.registry = registry
        self.ensemble = Ensemble(score_window, max_spawns, max_ensemble_size)

    @property
    def agents(self) -> list[BaseAgent]:
        """The members' agents, in their order."""
        return self.ensemble.agents

    def add_agent(self, agent: BaseAgent, weight: float | None = None) -> int:
        """Add a member at the end; see `Ensemble.add_agent`."""
        return self.ensemble.add_agent(agent, weight)

    def record_agent_score(self, index: int, score: float) -> None:
        """Add a score to a member's rolling window; see `Ensemble.record_agent_score`."""
        self.ensemble.record_agent_score(index, score)

    def auto_update_weights(self) -> None:
        """Let weights follow the rolling mean scores; see `Ensemble.auto_update_weights`."""
        self.ensemble.auto_update_weights()

    def select_members(
        self,
        pipeline: BasePipeline,
        *,
        seed: int,
        action_space: object | None = None,
        n_episodes: int = SELECTION_EPISODES,
    ) -> Selection:
        """Choose on fresh episodes who acts; the others weigh 0 and stay members.

        `optix_evolve.ensemble_selection.select_members` tells the rule. A run does this by itself
        at its end where `as_callback` was given sound signals.

        Args:
            pipeline: one that plays single episodes (`PlaysEpisodes`), such as `EpisodePipeline`;
                one of the ensemble's policies stays seated in it.
            seed: what the episodes are drawn from, on a stream of their own.
            action_space: as in `EnsembleAgent`.
            n_episodes: that each set of members plays, at least 2.

        Raises:
            ConfigurationError: if the pipeline cannot play single episodes, there are no members,
                or n_episodes is below 2.
        """
        seat = pipeline.set_agent
        if not supports(pipeline, PlaysEpisodes):
            raise ConfigurationError(
                f"{type(pipeline).__name__} cannot play episodes on given seeds; give one with "
                "play_episodes, such as EpisodePipeline"
            )
        seeds = draw_seeds(SeedPlan(seed).integer("comparison"), n_episodes)

        def play(agent: BaseAgent, _n_episodes: int) -> Sequence[float]:
            seat(agent)
            return pipeline.play_episodes(seeds).returns_by_environment.tolist()

        selection = choose_members(
            self.ensemble, play, action_space=action_space, n_episodes=n_episodes
        )
        if selection is None:
            raise ConfigurationError(
                f"{len(self.agents)} members and {n_episodes} episodes leave nothing to choose "
                "from; add_agent a member, and play at least 2 episodes"
            )
        return selection

    def prune(self, bottom_k: int = 1) -> list[int]:
        """Remove the members of the lowest weights; see `Ensemble.prune`."""
        return self.ensemble.prune(bottom_k)

    def boost(self, agent: BaseAgent, factor: float = 2.0) -> None:
        """Multiply a member's weight; see `Ensemble.boost`."""
        self.ensemble.boost(agent, factor)

    def set_regime(self, regime: str | None) -> None:
        """Note the regime for `status()` and the report."""
        self.ensemble.regime = regime

    def adaptive_noise_scale(
        self, metrics_history: Sequence[EvalMetrics], *, signals: Signals = "documented"
    ) -> float:
        """Standard deviation of the relative step by which the next variant is perturbed."""
        return adaptive_noise(metrics_history, signals=signals).noise_scale

    def ensemble_action(self, observation: Any, action_space: object | None = None) -> Any:
        """Combine the members' actions for one observation; see `EnsemblePolicy.greedy`.

        Raises:
            ConfigurationError: if there are no members.
        """
        return EnsemblePolicy(self.ensemble, action_space).greedy(observation)

    def status(self) -> dict[str, Any]:
        """Describe the ensemble in JSON types; see `Ensemble.status`."""
        return self.ensemble.status()

    def training_report(self, reason: str = "", best: EvalMetrics | None = None) -> str:
        """Write the report of a run.

        Args:
            reason: why it ended; by default what the spawn budget says.
            best: the best evaluation; by default that of the registry's best snapshot.
        """
        if best is None:
            snapshot = self.registry.best
            best = None if snapshot is None else snapshot.eval_metrics
        spent = "Spawn budget exhausted" if self.ensemble.is_budget_exhausted else "Training ended"
        return render_training_report(self.status(), reason or spent, best)

    def as_callback(
        self,
        agent: BaseAgent,
        agent_factory: Callable[[], BaseAgent] | None = None,
        *,
        meta_controller: DecisionRule | None = None,
        regime_detector: RegimeDetector | None = None,
        regime_agents: Mapping[str, BaseAgent] | None = None,
        regime_boost: float = 2.0,
        stream: TextIO | None = None,
        signals: Signals = "documented",
        noise_limits: NoiseLimits | None = None,
        action_space: object | None = None,
    ) -> PolicyManagerCallback:
        """Make the callback that evolves this ensemble during a run.

        Args:
            agent: the agent given to `RLOptimizer`, or the primary agent of its ensemble.
            agent_factory: makes a fresh agent of the same structure for each variant; without it
                nothing is spawned.
            meta_controller: decides at DORMANT; without it a variant is spawned while the budget
                lasts.
            regime_detector: names the regime at every evaluation and boosts the member for it.
            regime_agents: which member is for which regime; by default the one that has scored
                best in it.
            regime_boost: factor of that boost.
            stream: where the report is printed; default the standard output.
            signals: form of the noise signals; "sound" also chooses at the end who acts.
            noise_limits: between what the perturbation of a variant moves; None for the defaults.
            action_space: as in `EnsembleAgent`, for members that are tried together.

        Raises:
            ConfigurationError: if regime_boost is not positive and finite, or signals unknown.
        """
        return PolicyManagerCallback(
            self.ensemble,
            self.registry,
            agent,
            agent_factory=agent_factory,
            meta_controller=meta_controller,
            regime_detector=regime_detector,
            regime_agents=regime_agents,
            regime_boost=regime_boost,
            stream=stream,
            signals=signals,
            noise_limits=noise_limits,
            action_space=action_space,
        )
