"""Evolves an ensemble during a run: records scores, and decides at every DORMANT."""

import logging
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO, final

from optix_core import (
    BaseAgent,
    CheckpointRegistry,
    EvalMetrics,
    LoopCallback,
    LoopHandle,
    NextRound,
    PolicySnapshot,
    Stop,
    StopReason,
)
from optix_core.abilities import HasState, supports
from optix_core.errors import ConfigurationError, ContractViolationError
from optix_core.generator_state import generator_from_state, generator_state
from optix_evolve.adaptive_noise import NoiseLimits, adaptive_noise
from optix_evolve.ensemble import Ensemble
from optix_evolve.member_agents import agent_states, build_agents, load_agents, save_agents
from optix_evolve.member_choice import choose_members
from optix_evolve.meta_controller import DecisionRule, MetaAction
from optix_evolve.population import Lineage, Member
from optix_evolve.regime_boosts import RegimeBoosts
from optix_evolve.regime_detector import RegimeDetector
from optix_evolve.score_window import Signals, check_signals
from optix_evolve.training_report import lineage_status, render_training_report
from optix_evolve.variants import draw_anew, fresh_agent, make_variant

logger = logging.getLogger(__name__)

_CUT_SHORT = frozenset({StopReason.STOPPED, StopReason.FAILED, StopReason.INTERRUPTED})


@final
class PolicyManagerCallback(LoopCallback):
    """What `PolicyManager.as_callback` makes.

    At every evaluation the score is recorded for the member that acts. At DORMANT:

    1. the round ends: a variant that trained gets a weight, and all weights follow the scores;
    2. the learner is rolled back to the best of its round where it is worse now;
    3. with the budget spent the run ends; otherwise the meta controller decides, or, without one,
       a variant is spawned.

    A spawn clones the run's best policy into a fresh agent, perturbs its hyperparameters by the
    adaptive noise, adds it with weight 0, prunes beyond the ensemble's size, and makes it the
    learner of a round of its own. With sound signals, a run that shows no sign of ever having
    risen begins anew instead: with the weights that the factory gives, and hyperparameters drawn
    from their domains. NO_OP and PRUNE let the same learner go on once; DORMANT again without an
    improvement in between ends the run. Without a factory the run ends at DORMANT.

    With sound signals, the members of a run that ended by itself play fresh episodes at the end,
    and those act that are chosen by them (`select_members`): the best one alone, unless others
    improve on it. An ensemble that is the learner itself keeps the weights it was scored with.

    The agent given to `RLOptimizer` holds the run's best policy afterwards. Where it is a member
    whose own policy is another one, a fresh agent with that policy takes its place.
    """

    def __init__(
        self,
        ensemble: Ensemble,
        registry: CheckpointRegistry,
        agent: BaseAgent,
        *,
        agent_factory: Callable[[], BaseAgent] | None,
        meta_controller: DecisionRule | None,
        regime_detector: RegimeDetector | None,
        regime_agents: Mapping[str, BaseAgent] | None,
        regime_boost: float,
        stream: TextIO | None,
        signals: Signals,
        noise_limits: NoiseLimits | None = None,
        action_space: object | None = None,
    ) -> None:
        """Take the parts; `PolicyManager.as_callback` documents them."""
        check_signals(signals)
        self._ensemble = ensemble
        self._registry = registry
        self._agent = agent
        self._factory = agent_factory
        self._controller = meta_controller
        self._regimes = RegimeBoosts(ensemble, regime_detector, regime_agents, regime_boost)
        self._stream = stream
        self._signals: Signals = signals
        self._noise_limits = noise_limits
        self._action_space = action_space
        self._stop_fn: Callable[[], object] | None = None
        self._own: dict[int, PolicySnapshot] = {}
        self._went_on_against: str | None = None
        self._agents: Mapping[int, BaseAgent] = {}
        self._resumed: Mapping[str, Any] = {}
        self._loop: LoopHandle

    def set_stop_fn(self, stop_fn: Callable[[], object]) -> None:
        """Call this when the budget is spent. Not needed: the run ends by itself."""
        self._stop_fn = stop_fn

    def bind(self, loop: LoopHandle) -> None:
        """Receive the loop.

        Raises:
            ConfigurationError: if the manager's registry is on another directory than the run.
        """
        if loop.registry.path != self._registry.path:
            raise ConfigurationError(
                f"the manager's registry is on {self._registry.path}, the run keeps its snapshots "
                f"in {loop.registry.path}; give both the same directory"
            )
        self._loop = loop
        self._rng = loop.generator()
        self._went_on_against = None

    def on_loop_start(self) -> None:
        """Make the learner the first member, where the ensemble is still empty."""
        if not len(self._ensemble.population):
            self._ensemble.add_agent(self._agent, 1.0)
        self._ensemble.learner = self._acting()

    def on_episode_end(self, window_id: int, metrics: EvalMetrics | None) -> None:  # noqa: ARG002
        """Record the score of the member that acted."""
        if metrics is None:
            return
        position = self._ensemble.population.position_of(self._acting())
        if position is not None:
            self._ensemble.record_agent_score(position, metrics.primary_score)
        self._regimes.observe([*self._loop.history, metrics], position, metrics.primary_score)

    def on_dormant(self, window_id: int) -> NextRound | Stop | None:  # noqa: ARG002
        """End the round, and decide what comes next."""
        self._end_round()
        self._roll_back_if_worse()
        if self._ensemble.is_budget_exhausted:
            return self._stop(StopReason.BUDGET_EXHAUSTED, "the spawn budget is spent")
        if self._controller is None:
            return self._spawn()
        status = self._ensemble.status()
        action = MetaAction(self._controller.decide(self._loop.history, status))
        self._loop.record("meta_decision", action=action.value)
        match action:
            case MetaAction.STOP:
                return self._stop(StopReason.META_STOP, "the meta controller said stop")
            case MetaAction.SPAWN:
                return self._spawn()
            case MetaAction.PRUNE:
                self._prune_one()
                return self._go_on()
            case MetaAction.NO_OP:
                return self._go_on()

    def on_loop_stop(self) -> None:
        """Leave every member with the best policy of its round, choose who acts, report."""
        self._end_round()
        try:
            self._settle_variant()
            self._keep_own_policy()
            self._choose_members()
        finally:
            self._ensemble.learner = None
            for snapshot in self._own.values():
                self._registry.unpin(snapshot.snapshot_id)
            self._own.clear()
            self._report()

    def state_dict(self) -> dict[str, Any]:
        """Return the ensemble, and of its members but the learner what their weights lack."""
        return {
            "ensemble": self._ensemble.state_dict(),
            "given": self._id_of(self._agent),
            "learner": self._id_of(self._loop.learner),
            "agents": agent_states(self._others()),
            "own": {str(i): own.snapshot_id for i, own in self._own.items()},
            "went_on_against": self._went_on_against,
            "rng": generator_state(self._rng),
            "regimes": self._regimes.state_dict(),
            "controller": (
                self._controller.state_dict() if supports(self._controller, HasState) else None
            ),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Build the ensemble of then anew; `load_files` fills its members.

        Raises:
            ConfigurationError: if there is no factory for its variants, or a member is missing.
            CheckpointError: if a snapshot is gone.
        """
        books = state["ensemble"]
        agents = build_agents(
            books["population"]["members"],
            self._ensemble.population,
            self._factory,
            books["spawn_count"],
        )
        if state["given"] is not None:
            agents[state["given"]] = self._agent
        self._ensemble.restore(books, agents)
        self._ensemble.learner = agents.get(state["learner"], self._agent)
        self._agents, self._resumed = agents, state
        for member_id, snapshot_id in state["own"].items():
            self._pin_own(int(member_id), self._registry.find(snapshot_id))
        self._went_on_against = state["went_on_against"]
        self._rng = generator_from_state(state["rng"])
        self._regimes.load_state_dict(state["regimes"])
        if supports(self._controller, HasState) and state["controller"] is not None:
            self._controller.load_state_dict(state["controller"])

    def save_files(self, folder: str) -> None:
        """Write the weights of all members but the learner, which the loop saves itself."""
        save_agents(self._others(), Path(folder))

    def load_files(self, folder: str) -> None:
        """Fill the members with their weights, hyperparameters and states."""
        load_agents(self._agents, self._resumed["agents"], Path(folder))

    def resumed_learner(self) -> BaseAgent | None:
        """Return the learner of the round in progress, built anew."""
        return self._agents.get(self._resumed["learner"]) if self._resumed else None

    def _others(self) -> list[Member]:
        learner = self._loop.learner
        return [member for member in self._ensemble.population if member.agent is not learner]

    def _id_of(self, agent: BaseAgent) -> int | None:
        position = self._ensemble.population.position_of(agent)
        return None if position is None else self._ensemble.population[position].member_id

    def _report(self) -> None:
        best = self._loop.best_snapshot
        reason = _sentence(self._loop.ending)
        metrics = None if best is None else best.eval_metrics
        text = render_training_report(self._ensemble.status(), reason, metrics)
        stream = sys.stdout if self._stream is None else self._stream
        stream.write(text + "\n")
        self._loop.record("ensemble", status=self._ensemble.status())

    def _acting(self) -> BaseAgent:
        # An EnsembleAgent is no member; what it learns by is its primary agent.
        learner = self._loop.learner
        is_member = self._ensemble.population.position_of(learner) is not None
        return learner if is_member else self._agent

    def _end_round(self) -> None:
        position = self._ensemble.population.position_of(self._loop.learner)
        best = self._loop.round_best_snapshot
        if position is not None and best is not None:
            member = self._ensemble.population[position]
            self._pin_own(member.member_id, best)
        self._ensemble.finish_training(self._loop.learner)
        self._ensemble.auto_update_weights()

    def _pin_own(self, member_id: int, best: PolicySnapshot) -> None:
        self._registry.pin(best.snapshot_id)
        before = self._own.get(member_id)
        self._own[member_id] = best
        if before is not None:
            self._registry.unpin(before.snapshot_id)

    def _roll_back_if_worse(self) -> None:
        best = self._loop.round_best_snapshot
        history = self._loop.history
        if best is None or not len(history):
            return
        if best.eval_metrics.beats(history[-1]):
            self._loop.roll_back()
            self._loop.record("rolled_back", snapshot=best.snapshot_id)

    def _go_on(self) -> NextRound | None:
        best = self._loop.round_best_snapshot
        against = "" if best is None else best.snapshot_id
        if self._went_on_against == against:
            return None
        self._went_on_against = against
        return NextRound(self._loop.learner)

    def _prune_one(self) -> None:
        removed = self._ensemble.prune(1)
        self._loop.record("pruned", positions=removed)

    def _spawn(self) -> NextRound | None:
        parent = self._loop.best_snapshot
        if self._factory is None or parent is None:
            return None
        if self._ensemble.population.position_of(self._loop.learner) is None:
            raise ConfigurationError(
                f"a variant is cloned from a member, but {type(self._loop.learner).__name__} is "
                "none; give RLOptimizer a member to train, or leave agent_factory out"
            )
        shell = fresh_agent(self._factory)
        if self._ensemble.population.position_of(shell) is not None or shell is self._agent:
            raise ContractViolationError(
                "agent_factory returned an agent that is in use already; let it make a new one "
                "at each call"
            )
        is_anew = self._begins_anew()
        lineage = self._fresh_start(shell) if is_anew else self._clone(parent, shell)
        self._ensemble.add_variant(shell, lineage)
        self._ensemble.learner = shell
        removed = self._ensemble.prune_excess()
        self._loop.record("spawned", lineage=lineage_status(lineage), pruned=removed)
        return NextRound(shell)

    def _begins_anew(self) -> bool:
        """Whether the best is no better than the beginning, so that copying it leads nowhere."""
        return self._signals == "sound" and self._loop.is_stuck

    def _clone(self, parent: PolicySnapshot, shell: BaseAgent) -> Lineage:
        noise = adaptive_noise(self._loop.history, limits=self._noise_limits, signals=self._signals)
        changes = make_variant(
            shell, parent, self._registry, noise_scale=noise.noise_scale, rng=self._rng
        )
        return Lineage(
            parent_id=self._member_of(parent),
            parent_snapshot_id=parent.snapshot_id,
            parent_score=parent.eval_metrics.primary_score,
            perturbation=changes,
            noise=noise,
            round_index=self._ensemble.spawn_count + 1,
        )

    def _fresh_start(self, shell: BaseAgent) -> Lineage:
        changes = draw_anew(shell, rng=self._rng, window_id=0)
        return Lineage(perturbation=changes, round_index=self._ensemble.spawn_count + 1)

    def _member_of(self, snapshot: PolicySnapshot) -> int | None:
        owners = (i for i, own in self._own.items() if own.snapshot_id == snapshot.snapshot_id)
        return next(owners, None)

    def _stop(self, reason: StopReason, detail: str) -> Stop:
        if self._stop_fn is not None:
            self._stop_fn()
        return Stop(reason, detail)

    def _settle_variant(self) -> None:
        """Roll back a variant whose round was cut short; the given agent has the run's best."""
        learner = self._loop.learner
        is_member = self._ensemble.population.position_of(learner) is not None
        if is_member and learner is not self._agent:
            self._loop.roll_back()

    def _keep_own_policy(self) -> None:
        """Let a fresh agent stand for the given one where that now holds another policy."""
        position = self._ensemble.population.position_of(self._agent)
        best = self._loop.best_snapshot
        if position is None or best is None:
            return
        own = self._own.get(self._ensemble.population[position].member_id)
        if own is None or own.snapshot_id == best.snapshot_id or self._factory is None:
            return
        copy = fresh_agent(self._factory)
        self._registry.load(own, copy)
        self._ensemble.replace_agent(self._agent, copy)

    def _choose_members(self) -> None:
        """Weigh members by fresh episodes; whoever asked for the end of the run wants it now."""
        ending, population = self._loop.ending, self._ensemble.population
        has_ended = ending is not None and ending.reason not in _CUT_SHORT
        is_member = population.position_of(self._loop.learner) is not None
        if self._signals != "sound" or not (has_ended and is_member) or len(population) == 1:
            return
        before = self._loop.validation_steps
        selection = choose_members(
            self._ensemble, self._loop.play_fresh, action_space=self._action_space
        )
        if selection is not None:
            steps = self._loop.validation_steps - before
            self._loop.record("ensemble_selected", steps=steps, **selection.to_event())


def _sentence(ending: Stop | None) -> str:
    if ending is None:
        return "Stopped"
    if ending.reason is StopReason.BUDGET_EXHAUSTED:
        return "Spawn budget exhausted"
    text = ending.reason.value
    return text[:1].upper() + text[1:]
