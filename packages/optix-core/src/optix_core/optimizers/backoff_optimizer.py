"""Two-phase finite difference on one hyperparameter at a time."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, final

import numpy as np

from optix_core.base_optimizer import BaseOptimizer
from optix_core.branching import Branches
from optix_core.component_state import read_state
from optix_core.domain import Domain
from optix_core.domain_arithmetic import fit, scale, shift
from optix_core.domain_inference import as_python
from optix_core.errors import CheckpointCorruptError, ConfigurationError
from optix_core.eval_metrics import EvalMetrics
from optix_core.hyperparam_set import HyperparamSet
from optix_core.hyperparam_space import HyperparamSpace

if TYPE_CHECKING:
    from optix_core.optimizers.paired_branches import PairedBranches

_SMALLEST_STEP = 0.01
_LARGEST_STEP = 0.25
_SHRINK = 0.9
_GROWTH = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A value that is being tried."""

    name: str
    """The hyperparameter."""
    theta: float
    """Its value before."""
    score: float
    """What that value scored: s₀."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    relative_step: float
    last_name: str | None
    probe: Probe | None
    inferred: dict[str, str]
    branches: dict[str, Any] | None = None


@final
class BackoffOptimizer(BaseOptimizer):
    """Tries θ + δ for one evaluation, then keeps it or turns to θ − δ, parameter by parameter.

    With s₀ the score of θ and s₊ that of the probe, ĝ = (s₊ − s₀) / δ. ĝ > 0 keeps θ + δ, ĝ ≤ 0
    applies θ − δ. The committed value is played for one evaluation, whose score is the next s₀.

    δ = rel · scale(θ), with scale(θ) = |θ|, 1 at θ = 0, min(θ, 1 − θ) in (0, 1) without bounds.
    rel starts at 0.05, is multiplied by 0.9 at an improvement and by 1.5 on a plateau, and stays
    within [0.01, 0.25]. A whole number moves by at least 1. In ĝ and in the reversal δ is what
    the agent really has: after clipping, and after reading back what it made of the suggestion.

    Where the upper bound leaves no room the probe goes down, δ < 0. There too a better score
    keeps the probe and any other applies θ − δ, which the bound turns into θ. A parameter that
    cannot move at all is passed over. A score that is NaN or infinite never speaks for a probe:
    θ is restored; and none begins on such a score. A read-back that shows θ unchanged, no number or
    no such parameter ends the probe without a commit.

    All this is `mode="documented"`. With `mode="evidence"`, and scores that carry evidence, two
    branches of training decide instead: see `PairedBranches`. Scores without evidence get the
    documented arithmetic in either mode.

    Raises:
        ConfigurationError: if a bound is not (low, high), relative_step not in [0.01, 0.25], or
            the mode unknown.
    """

    def __init__(
        self,
        param_bounds: Mapping[str, tuple[float, float]] | None = None,
        *,
        relative_step: float = 0.05,
        mode: Literal["documented", "evidence"] = "documented",
    ) -> None:
        """Take bounds by name, (low, high) inclusive, the first rel, and by what to decide."""
        if mode not in ("documented", "evidence"):
            raise ConfigurationError(f"mode must be 'documented' or 'evidence', got {mode!r}")
        if not _SMALLEST_STEP <= relative_step <= _LARGEST_STEP:
            raise ConfigurationError(
                f"relative_step must lie in [{_SMALLEST_STEP}, {_LARGEST_STEP}], "
                f"got {relative_step}"
            )
        self._space = HyperparamSpace(param_bounds)
        self._relative_step = float(relative_step)
        self._last_name: str | None = None
        self._probe: Probe | None = None
        self._branches = _paired_branches() if mode == "evidence" else None

    @property
    def relative_step(self) -> float:
        """rel: the size of the next probe in units of the parameter's scale."""
        return self._relative_step

    @property
    def probe(self) -> Probe | None:
        """The value that is being tried, None between a commit and the next probe."""
        return self._probe

    def set_domains(self, domains: Mapping[str, Domain]) -> None:
        """Take what the agent declares; see `HyperparamSpace`."""
        self._space.declare(domains)

    def set_rng(self, rng: np.random.Generator) -> None:
        """Draw the seeds of branches from this generator; the documented arithmetic draws none."""
        if self._branches is not None:
            self._branches.set_rng(rng)

    def step(self, branches: Branches, history: Sequence[EvalMetrics]) -> None:
        """Try a hyperparameter out on two branches; nothing in the documented mode."""
        if self._branches is not None and _has_evidence(history):
            self._branches.step(
                branches, self._space.tunable(branches.hyperparams, on_branches=True)
            )

    @property
    def is_branching(self) -> bool:
        """Whether the mode is "evidence"."""
        return self._branches is not None

    def held(self) -> list[str]:
        """Return nothing: a probe is over when `step` returns."""
        return []

    def on_improvement(self, metrics: EvalMetrics) -> None:  # noqa: ARG002 -- the contract's
        """Take smaller steps: rel × 0.9, at least 0.01."""
        self._relative_step = max(self._relative_step * _SHRINK, _SMALLEST_STEP)

    def on_plateau(self, metrics_history: Sequence[EvalMetrics]) -> None:  # noqa: ARG002 -- as above
        """Take larger steps: rel × 1.5, at most 0.25."""
        self._relative_step = min(self._relative_step * _GROWTH, _LARGEST_STEP)

    def on_restart(self) -> None:
        """Drop the probe under way; the step and the place in the round stay."""
        self._probe = None

    def suggest(
        self, current_hyperparams: HyperparamSet, metrics_history: Sequence[EvalMetrics]
    ) -> HyperparamSet:
        """Commit the probe that is under way, or begin the next one.

        Args:
            current_hyperparams: as read back from the agent; they earned the last score.
            metrics_history: evaluations, oldest first; empty means no score, so no probe begins.

        Returns:
            A copy with at most one value changed.
        """
        suggested = current_hyperparams.copy()
        if self._branches is not None and _has_evidence(metrics_history):
            return suggested
        score = metrics_history[-1].primary_score if metrics_history else math.nan
        domains = self._space.tunable(suggested.params)
        probe, self._probe = self._probe, None
        if probe is not None:
            theta, domain = suggested.params.get(probe.name), domains.get(probe.name)
            if domain is not None and theta != probe.theta:
                suggested.params[probe.name] = _committed(domain, theta, probe, score)
                return suggested
        if math.isfinite(score):
            self._begin(suggested.params, domains, score)
        return suggested

    def state_dict(self) -> dict[str, Any]:
        """Return the step, the place in the round and the probe under way."""
        return asdict(
            _State(
                relative_step=self._relative_step,
                last_name=self._last_name,
                probe=self._probe,
                inferred=self._space.state_dict(),
                branches=None if self._branches is None else self._branches.state_dict(),
            )
        )

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put back what `state_dict` returned.

        Raises:
            CheckpointCorruptError: if it is something else.
        """
        loaded = read_state(_State, state, what="state of BackoffOptimizer")
        if not _SMALLEST_STEP <= loaded.relative_step <= _LARGEST_STEP:
            raise CheckpointCorruptError(f"relative_step out of range: {loaded.relative_step}")
        if (self._branches is None) != (loaded.branches is None):
            raise CheckpointCorruptError(
                "this state is of a BackoffOptimizer of the other mode; make it with the mode that "
                "the run was started with"
            )
        self._space.load_state_dict(loaded.inferred)
        if self._branches is not None and loaded.branches is not None:
            self._branches.load_state_dict(loaded.branches)
        self._relative_step = loaded.relative_step
        self._last_name = loaded.last_name
        self._probe = loaded.probe

    def _begin(self, params: dict[str, Any], domains: Mapping[str, Domain], score: float) -> None:
        for name in _after(self._last_name, list(domains)):
            theta, domain = params[name], domains[name]
            delta = self._relative_step * scale(domain, float(theta))
            probed = shift(domain, theta, delta)
            if probed == theta:
                probed = shift(domain, theta, -delta)
            if probed != theta:
                self._last_name = name
                self._probe = Probe(name=name, theta=as_python(theta), score=score)
                params[name] = probed
                return


def _committed(domain: Domain, theta: Any, probe: Probe, score: float) -> Any:
    """Keep θ where it scored better than before the probe, else turn to the other side."""
    if not math.isfinite(score):
        return fit(domain, theta, probe.theta)
    # ĝ > 0 for a δ > 0, written so that neither a tiny δ overflows nor a huge one underflows it.
    if score > probe.score:
        return theta
    delta = as_python(theta) - probe.theta
    return fit(domain, theta, probe.theta - delta)


def _after(last_name: str | None, names: list[str]) -> list[str]:
    """Return the names in turn, beginning behind the last one."""
    start = names.index(last_name) + 1 if last_name in names else 0
    return names[start:] + names[:start]


def _paired_branches() -> "PairedBranches":
    # Not above: the default tuner of a run does without, and so does importing core.
    from optix_core.optimizers.paired_branches import PairedBranches  # noqa: PLC0415

    return PairedBranches(np.random.default_rng(0))


def _has_evidence(history: Sequence[EvalMetrics]) -> bool:
    return bool(history) and history[-1].has_evidence
