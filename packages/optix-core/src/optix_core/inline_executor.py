"""Does work units in this process, one after the other, with the run's own agent and pipelines."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import final

from optix_core.base_agent import BaseAgent
from optix_core.errors import ConfigurationError
from optix_core.work_unit import UnitResult, WorkUnit
from optix_core.workbench import Workbench

SEATED = "seated"
"""As the parent of a unit that trains nothing: the policy that is seated when it is submitted."""


@final
class InlineExecutor:
    """The deterministic default: units are done in the order of their handles, at `wait`.

    The learner is put aside before the first one and is bit for bit what it was after the last
    one, also where a unit raises: see `BranchStore` for an agent without `HasState`.

    A unit whose parent is `SEATED` is done at `submit`, since by `wait` another policy may have
    been loaded into the agent: examining the policy that plays already takes no snapshot.
    """

    def __init__(self, bench: Workbench) -> None:
        """Work at this bench."""
        self._bench = bench
        self._waiting: dict[int, WorkUnit] = {}
        self._done: dict[int, UnitResult] = {}
        self._n_submitted = 0

    def submit(self, unit: WorkUnit) -> int:
        """Take a unit on; it is done when it is waited for, or at once for who is seated.

        Raises:
            Exception: what agent, environment or evaluator raised at once, as it was raised.
        """
        self._n_submitted += 1
        if unit.parent == SEATED and not unit.n_windows:
            self._done[self._n_submitted] = self._bench.examine(unit)
        else:
            self._waiting[self._n_submitted] = unit
        return self._n_submitted

    def wait(self, handles: Sequence[int]) -> list[UnitResult]:
        """Do these units and return their results, in the order of the handles.

        Raises:
            ConfigurationError: if a handle was never given out, or was waited for before.
            CheckpointNotFoundError: if a parent is not in the store.
            ContractViolationError: if the agent does not give back hyperparameters that it got.
            Exception: what agent, environment or evaluator raised, as it was raised.
        """
        unknown = [h for h in handles if h not in self._waiting and h not in self._done]
        if unknown or len(set(handles)) < len(handles):
            raise ConfigurationError(
                f"wait was given the handles {list(handles)}, of which {unknown} are unknown; each "
                "handle of submit can be waited for once"
            )
        units = {h: self._waiting.pop(h) for h in handles if h in self._waiting}
        done = {h: self._done.pop(h) for h in handles if h in self._done}
        if units:
            done.update(zip(units, self._do(list(units.values())), strict=True))
        return [done[handle] for handle in handles]

    def close(self) -> None:
        """Drop what was not waited for."""
        self._waiting.clear()
        self._done.clear()

    def _do(self, units: Sequence[WorkUnit]) -> list[UnitResult]:
        results: list[UnitResult] = []
        with self._learner_put_aside():
            try:
                for unit in units:
                    results.append(self._bench.do(unit))  # noqa: PERF401 - see below
            except BaseException:
                # Nobody will ever hear of these children, so nobody would let go of them.
                for result in results:
                    self._let_go(result)
                raise
        return results

    def _let_go(self, result: UnitResult) -> None:
        if result.windows:
            self._bench.store.release(result.child)

    @contextmanager
    def _learner_put_aside(self) -> Generator[None]:
        store, agent = self._bench.store, self._bench.agent
        aside = store.save(agent)
        try:
            yield
        finally:
            store.load(aside, agent)
            store.release(aside)


@final
class SeatedPolicies:
    """Names policies for an `InlineExecutor` that works in the pipelines where they are seated."""

    def save(self, agent: BaseAgent) -> str:  # noqa: ARG002 - the protocol's
        """Return `SEATED`: the agent is seated, and plays before anything else is done with it."""
        return SEATED

    def release(self, name: str) -> None:
        """Do nothing: nothing was saved."""
