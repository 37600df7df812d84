"""Searches from outside: several whole trainings with fixed hyperparameters share one budget."""

import tempfile
from collections.abc import Callable

import numpy as np
import optuna
from optuna.trial import Trial

from benchmarks.study.agents import NumpyPPO, make_agent
from benchmarks.study.bench import FINAL_SEEDS, Bench
from benchmarks.study.ours import FIXED
from benchmarks.study.records import RunKey, RunRecord
from benchmarks.study.starts import PRIOR, Params, draw_params, starting_params
from benchmarks.study.tasks import TASKS, WINDOW_STEPS
from optix_core import (
    EvalMetrics,
    LoopCallback,
    LoopHandle,
    PolicySnapshot,
    RLOptimizer,
    SimplePipeline,
)

N_TRIALS = 4
"""Trainings that a budget is cut into; with pruning more begin, until it is spent."""

SeesWindow = Callable[[int, float], bool]
"""Told (window, score) of a trial; whether the trial is to end here."""


class Search:
    """The best policy over several trainings, by their own scores."""

    def __init__(self, key: RunKey) -> None:
        self.task = TASKS[key.task]
        self.key = key
        self.bench = Bench(self.task, make_agent(self.task, {}, 0))
        self.n_trials = 0
        self._best_claim = -np.inf
        self._winner = make_agent(self.task, {}, 0)

    def train(self, params: Params, sees_window: SeesWindow) -> float:
        """Train once with these hyperparameters; returns the best score of its windows."""
        agent = make_agent(self.task, params, self.key.seed + 7_919 * self.n_trials)
        watch = _TrialWatch(self, sees_window, self.task.n_windows // N_TRIALS)
        with tempfile.TemporaryDirectory() as directory:
            RLOptimizer(
                agent,
                SimplePipeline(self.bench.training_env(), window_size=WINDOW_STEPS),
                checkpoint_dir=directory,
                seed=self.key.seed + 7_919 * self.n_trials,
                callbacks=[watch],
                **FIXED,
            ).run()
        self.n_trials += 1
        return watch.best_score

    def consider(self, snapshot: PolicySnapshot, load: Callable[[NumpyPPO], object]) -> None:
        """Take a trial's new best over where it claims more than the best of all trials."""
        claim = snapshot.eval_metrics.primary_score
        if claim > self._best_claim:
            self._best_claim = claim
            load(self._winner)
            self.bench.new_incumbent(load)

    def record(self) -> RunRecord:
        """Return what came out."""
        return RunRecord(
            key=self.key,
            curve=self.bench.curve,
            final=self.bench.true_score(self._winner, FINAL_SEEDS),
            steps=self.bench.counter.steps,
            reason=f"{self.n_trials} trials",
            window_scores=self.bench.window_scores,
        )


class _TrialWatch(LoopCallback):
    """Ends a trial at its length, when it is pruned, or when the budget is spent."""

    def __init__(self, search: Search, sees_window: SeesWindow, length: int) -> None:
        self._search = search
        self._sees_window = sees_window
        self._length = length
        self.best_score = -np.inf

    def bind(self, loop: LoopHandle) -> None:
        self._loop = loop

    def on_improvement(self, snapshot: PolicySnapshot) -> None:
        registry = self._loop.registry
        self._search.consider(snapshot, lambda agent: registry.load(snapshot, agent))

    def on_episode_end(self, window_id: int, metrics: EvalMetrics | None) -> None:
        bench = self._search.bench
        is_over = bench.is_spent or window_id + 1 >= self._length
        if metrics is not None:
            score = metrics.primary_score
            bench.window_scores.append((bench.counter.steps, score))
            self.best_score = max(self.best_score, score)
            is_over = self._sees_window(window_id, score) or is_over
        if is_over:
            self._loop.stop("the trial is over")


def run_random_search(key: RunKey) -> RunRecord:
    """Train the start itself, then configurations drawn from the prior; keep the best."""
    search = Search(key)
    rng = np.random.default_rng(np.random.SeedSequence([key.seed, 0x5EA]))
    params = starting_params(key.start, search.task, key.seed)
    while not search.bench.is_spent:
        search.train(params, lambda _window, _score: False)
        params = draw_params(rng)
    return search.record()


def run_optuna(key: RunKey) -> RunRecord:
    """Let TPE choose configurations, the start first, and prune those below the median."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    search = Search(key)
    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=key.seed, n_startup_trials=3),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=1, n_warmup_steps=4),
    )
    study.enqueue_trial(_starting_point(search))
    while not search.bench.is_spent:
        trial = study.ask()
        value, was_pruned = _train_trial(search, trial)
        state = optuna.trial.TrialState.PRUNED if was_pruned else None
        study.tell(trial, None if was_pruned else value, state=state)
    return search.record()


def _train_trial(search: Search, trial: Trial) -> tuple[float, bool]:
    params = {name: _suggest(trial, name) for name in PRIOR}
    was_pruned = False

    def sees_window(window: int, score: float) -> bool:
        nonlocal was_pruned
        trial.report(score, window)
        was_pruned = trial.should_prune()
        return was_pruned

    return search.train(params, sees_window), was_pruned


def _suggest(trial: Trial, name: str) -> float:
    low, high, scale = PRIOR[name]
    return trial.suggest_float(name, low, high, log=scale == "log")


def _starting_point(search: Search) -> Params:
    """The start's whole configuration, moved into the prior where it lies outside."""
    start = starting_params(search.key.start, search.task, search.key.seed)
    params = make_agent(search.task, start, 0).get_hyperparams().params
    return {name: min(max(params[name], low), high) for name, (low, high, _) in PRIOR.items()}
