"""Branches without environment, agent or disk: policies are numbers, and every rule is checked."""

import copy
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from optix_core import EvalMetrics
from optix_core.work_unit import UnitResult, WorkUnit

EVIDENCE = [EvalMetrics(0.0, {"n_episodes": 8, "score_se": 1.0})]
"""A history that carries evidence."""


def evaluation(window_id: int, score: float = 0.0) -> EvalMetrics:
    """The score of a window."""
    return EvalMetrics(score, {"n_episodes": 8, "score_se": 1.0}, window_id)


def near(name: str, optimum: float) -> Callable[[Mapping[str, Any]], float]:
    """Skill a window: 1 at the optimum of one hyperparameter, less the more decades away."""
    return lambda params: math.exp(-(math.log10(params[name] / optimum) ** 2))


@dataclass(frozen=True)
class Policy:
    skill: float
    age: int
    params: dict[str, Any]


@dataclass
class ModelBranches:
    """What `Branches` promises. A policy's skill grows by `gain(params)` a window.

    Scores are the skill and noise of the exam's seed; a snapshot may be used only while held.
    """

    params: dict[str, Any]
    gain: Callable[[Mapping[str, Any]], float]
    noise: float = 0.1
    max_windows: int | None = None
    steered: frozenset[str] = frozenset()
    has_held_out: bool = True
    learner_windows: int = 1
    branch_windows: int = 0
    snapshots: dict[str, Policy] = field(default_factory=dict[str, Policy])
    holds: Counter[str] = field(default_factory=Counter[str])
    units: list[WorkUnit] = field(default_factory=list[WorkUnit])
    ages: list[list[int]] = field(default_factory=list[list[int]])
    adopted: list[tuple[str, dict[str, Any]]] = field(
        default_factory=list[tuple[str, dict[str, Any]]]
    )

    def __post_init__(self) -> None:
        self.learner = Policy(0.0, 0, copy.deepcopy(self.params))
        self._is_replaced = False
        self._n_saved = 0

    @property
    def windows(self) -> int:
        return self.learner_windows + self.branch_windows

    @property
    def windows_left(self) -> int | None:
        return None if self.max_windows is None else max(0, self.max_windows - self.windows - 1)

    @property
    def hyperparams(self) -> dict[str, Any]:
        return copy.deepcopy(self.learner.params)

    def next_window(self) -> None:
        """The learner learns from the window in progress, and the next one is collected."""
        if not self._is_replaced:
            self.learner = self.trained(self.learner, 1)
        self._is_replaced = False
        self.learner_windows += 1

    def save(self) -> str:
        return self._keep(self.learner)

    def run(self, units: Sequence[WorkUnit]) -> list[UnitResult]:
        left, wanted = self.windows_left, sum(unit.n_windows for unit in units)
        assert left is None or wanted <= left
        self.units += units
        self.branch_windows += wanted
        results = [self._do(unit) for unit in units]
        self.ages.append([self.snapshots[result.child].age for result in results])
        return results

    def adopt(self, snapshot_id: str, hyperparams: Mapping[str, Any]) -> None:
        assert self.holds[snapshot_id] > 0
        self.adopted.append((snapshot_id, dict(hyperparams)))
        self.learner = replace(self.snapshots[snapshot_id], params=copy.deepcopy(dict(hyperparams)))
        self._is_replaced = True

    def hold(self, snapshot_id: str) -> None:
        assert self.holds[snapshot_id] > 0
        self.holds[snapshot_id] += 1

    def release(self, snapshot_id: str) -> None:
        assert self.holds[snapshot_id] > 0
        self.holds[snapshot_id] -= 1

    def held(self) -> Counter[str]:
        return +self.holds

    def trained(self, policy: Policy, n_windows: int) -> Policy:
        skill = policy.skill + n_windows * self.gain(policy.params)
        return replace(policy, skill=skill, age=policy.age + n_windows)

    def _do(self, unit: WorkUnit) -> UnitResult:
        assert self.holds[unit.parent] > 0
        parent = replace(self.snapshots[unit.parent], params=copy.deepcopy(unit.hyperparams))
        child = self.trained(parent, unit.n_windows)
        # Scored by its own training, it has met episodes of its own.
        seed, size = (unit.exam_seed, unit.n_episodes) if unit.n_episodes else (unit.seed, 8)
        returns = child.skill + np.random.default_rng(seed).normal(scale=self.noise, size=size)
        se = float(np.std(returns, ddof=1) / math.sqrt(len(returns)))
        return UnitResult(
            child=self._keep(child) if unit.n_windows else unit.parent,
            hyperparams=copy.deepcopy(unit.hyperparams),
            metrics=EvalMetrics(
                float(returns.mean()), {"n_episodes": len(returns), "score_se": se}
            ),
            windows=unit.n_windows,
            steps=10 * unit.n_windows,
            exam_steps=unit.n_episodes,
        )

    def _keep(self, policy: Policy) -> str:
        self._n_saved += 1
        name = f"snapshot-{self._n_saved}"
        self.snapshots[name] = policy
        self.holds[name] += 1
        return name
