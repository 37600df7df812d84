"""Members of one structure that run as one: made, checked against them, renewed as they learn."""

import logging
from collections.abc import Sequence
from typing import Any, Self, final

import numpy as np
from numpy.typing import NDArray

from optix_core.abilities import InterpretsOutputs, Stackable, StackedPolicy
from optix_core.errors import ContractViolationError
from optix_core.stacked_network import RunsAsNetwork
from optix_evolve.compiled_forward import CompiledForward
from optix_evolve.member_calls import Question
from optix_evolve.stack_check import Answers, agrees, without_trace

logger = logging.getLogger(__name__)

ALL_MEMBERS = "members disagree on what they can answer"


@final
class StackedGroup:
    """A stack that gave its members' answers on a probe, and the questions that it may answer."""

    def __init__(
        self, members: Sequence[Stackable], stack: StackedPolicy, *, compiled: bool
    ) -> None:
        """Wrap a stack of these members; `checked` is how to make one that can be trusted."""
        self._members = list(members)
        self._stack = stack
        # Asking a protocol costs as much as a small forward pass.
        self._interpreter = stack if isinstance(stack, InterpretsOutputs) else None
        self._versions = [member.weights_version for member in members]
        self._questions: frozenset[Question] = frozenset()
        self._compiled: CompiledForward | None = None
        if compiled and isinstance(stack, RunsAsNetwork) and stack.network is not None:
            self._compiled = CompiledForward(stack.network, stack.network_inputs)

    @classmethod
    def checked(
        cls,
        members: Sequence[Stackable],
        probe: NDArray[Any],
        answers: Sequence[Answers],
        *,
        compiled: bool,
    ) -> Self | None:
        """Stack members, and compare it with their own answers on the probe.

        Returns:
            None, with the reason logged, where members decline to be stacked, where an answer
            differs, or where the stack raises.
        """
        names = f"{len(members)} members of {type(members[0]).__name__}"
        try:
            group = cls(members, members[0].stack(members), compiled=compiled)
            differing = group._compare(probe, answers)
        except ContractViolationError as reason:
            logger.info("%s run one by one: %s", names, reason)
            return None
        except Exception:  # stacking is the user's code; members answer all the same
            logger.warning("%s run one by one, since stacking them failed", names, exc_info=True)
            return None
        if differing:
            logger.warning(
                "%s run one by one, since their stack gives other answers: %s", names, differing
            )
            return None
        return group

    def can_answer(self, question: Question) -> bool:
        """Whether the stack was checked for this question."""
        return question in self._questions

    def ask(self, question: Question, observations: NDArray[Any]) -> Any:
        """Every member's answer [M, B, ...], or (mean, std); the next call may overwrite it."""
        self._renew()
        outputs = self._forward(observations)
        stack = self._interpreter
        if stack is None:
            return outputs
        match question:
            case Question.EXPLORING:
                return stack.sample(outputs)
            case Question.GREEDY:
                return stack.greedy(outputs)
            case Question.DISTRIBUTION:
                return stack.distribution(outputs)

    def _forward(self, observations: NDArray[Any]) -> NDArray[Any]:
        if self._compiled is not None and self._compiled.pays(len(observations)):
            return self._compiled(observations)
        return self._stack.forward(observations)

    def _renew(self) -> None:
        versions = [member.weights_version for member in self._members]
        if versions == self._versions:
            return
        for index, (old, new) in enumerate(zip(self._versions, versions, strict=True)):
            if old != new:
                self._stack.refresh(index, self._members[index])
                self._versions[index] = new

    def _compare(self, probe: NDArray[Any], answers: Sequence[Answers]) -> str:
        """Note which questions the stack answers; the first that it answers otherwise, or ''."""
        common = frozenset(answers[0]).intersection(*answers)
        if self._interpreter is None:
            # Its outputs are one kind of actions: greedy ones, of members that tell them apart.
            common -= {Question.DISTRIBUTION}
            if Question.GREEDY in common:
                common -= {Question.EXPLORING}
        for question in sorted(common):
            given = without_trace(self._members, lambda asked=question: self.ask(asked, probe))
            if not agrees(given, [answer[question] for answer in answers]):
                return question
        if Question.GREEDY not in answers[0] and self._interpreter is None:
            common |= {Question.GREEDY}  # `act` is the answer to both
        self._questions = common
        return "" if common else ALL_MEMBERS


def copy_of(answer: Any) -> Any:
    """Copy an answer that the next call may overwrite."""
    if isinstance(answer, tuple):
        return tuple(np.array(part) for part in answer)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return np.array(answer)
