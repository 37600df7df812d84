"""Any list of members asked at once: those of one structure in one pass, others in a loop."""

import logging
from collections.abc import Hashable, Sequence
from typing import Any, cast, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from optix_core.abilities import Stackable, supports
from optix_core.errors import ConfigurationError, ContractViolationError
from optix_evolve.action_arithmetic import MemberWeights, weighted_mean
from optix_evolve.member_calls import Call, Question, call_of, can_answer
from optix_evolve.stack_check import answers_of, probe_of
from optix_evolve.stacked_group import StackedGroup

logger = logging.getLogger(__name__)

CHUNK_BYTES = 16 << 20
"""Outputs of all members held at once by `MemberInference.mean`."""


@final
class MemberInference:
    """Asks members for actions or distributions, all for the same observations.

    Members that are `Stackable` and give equal `stack_key`s run as one. The stack is made at the
    first question, compared with the members' own answers on a few observations, and used for the
    questions on which it agreed; later, only members whose `weights_version` changed are copied
    again. Others, and those whose stack disagreed or raised, are asked one by one. Make a new
    `MemberInference` when members come or go.

    Stacked members are not called: what a member does besides answering (counting its calls, say)
    does not happen. Members that explore with a generator of their own draw from it all the same.

    Args of the constructor:
        members: agents, in the order of the answers. May be empty.
        compiled: True to use numba kernels, which take a second to load and are several times
            quicker for single observations; False never to; None leaves the forward pass to BLAS
            and the means to their own rule.
    """

    def __init__(self, members: Sequence[Any], *, compiled: bool | None = None) -> None:
        self._members = list(members)
        self._compiled = compiled
        self._groups: list[tuple[list[int], StackedGroup]] | None = None
        self._routes: dict[Question, _Route] = {}
        self._row_bytes: dict[Question, int] = {}

    def __len__(self) -> int:
        """Number of members."""
        return len(self._members)

    @property
    def stacked(self) -> tuple[tuple[int, ...], ...]:
        """Positions of members that run as one, a tuple a stack; none before the first question."""
        return tuple(tuple(positions) for positions, _ in self._groups or [])

    def can_answer(self, question: Question) -> bool:
        """Whether every member has its own answer to a question."""
        return all(can_answer(member, question) for member in self._members)

    def ask(self, question: Question, observations: NDArray[Any]) -> Any:
        """Every member's answer for observations [B, ...].

        Returns:
            One array [N, B, ...], which the next call may overwrite; a pair of such for
            distributions of real actions; a list of the members' own answers where they have no
            common shape, or are containers. [] without members.

        Raises:
            ContractViolationError: for distributions of members that have none.
        """
        route = self._routes.get(question)
        if route is None:
            route = self._choose_route(question, observations)
        answers: list[Any] = [None] * len(self._members)
        for positions, group in tuple(route.stacks):
            answer = self._ask_stack(group, question, observations)
            if answer is None:
                route = self._choose_route(question, observations)
                return self.ask(question, observations)
            if len(positions) == len(answers):
                return answer
            _spread(answer, positions, answers)
        for position, call in route.calls:
            answers[position] = call(observations)
        return route.gather(answers, question)

    def mean(
        self,
        question: Question,
        observations: NDArray[Any],
        weights: MemberWeights | ArrayLike,
        *,
        chunk_bytes: int = CHUNK_BYTES,
    ) -> NDArray[np.floating[Any]]:
        """Weighted mean of the members' real-valued answers, [B, ...], never holding all of them.

        The observations are taken in chunks, so many that the members' answers to one take about
        `chunk_bytes`. Of (mean, std) the means are averaged.

        Args:
            question: for actions they must be real numbers; distributions average as they are.
            observations: [B, ...], B ≥ 1.
            weights: one a member.
            chunk_bytes: memory for answers.

        Raises:
            ConfigurationError: for no observations, or if there is not one weight a member.
            ContractViolationError: for answers that are integers, containers or of several shapes.
        """
        if not len(observations):
            raise ConfigurationError("there is no mean of no observations; give at least one")
        member_weights = weights if isinstance(weights, MemberWeights) else MemberWeights(weights)
        result: NDArray[Any] | None = None
        done = 0
        while done < len(observations):
            chunk = observations[done : done + self._chunk_rows(question, chunk_bytes)]
            rows = _real_rows(self.ask(question, chunk))
            if result is None:
                dtype = np.float32 if rows.dtype == np.float32 else np.float64
                result = np.empty((len(observations), *rows.shape[2:]), dtype)
            self._row_bytes[question] = max(1, rows.nbytes // len(chunk))
            out = result[done : done + len(chunk)]
            weighted_mean(rows, member_weights, out=out, compiled=self._compiled)
            done += len(chunk)
        return cast("NDArray[np.floating[Any]]", result)

    def _chunk_rows(self, question: Question, chunk_bytes: int) -> int:
        """Observations of a chunk; few of the first, which tells the size of the answers."""
        return max(1, chunk_bytes // self._row_bytes.get(question, max(1, chunk_bytes // 8)))

    def _ask_stack(
        self, group: StackedGroup, question: Question, observations: NDArray[Any]
    ) -> Any:
        """A stack's answer; None if it failed where the members do not, and is given up."""
        try:
            return group.ask(question, observations)
        except Exception:
            # If the members raise too, that is the error to show.
            positions = next(p for p, g in self._groups or [] if g is group)
            for position in positions:
                call_of(self._members[position], question)(observations)
            logger.warning("a stack of members failed; they run one by one", exc_info=True)
            self._groups = [pair for pair in self._groups or [] if pair[1] is not group]
            self._routes.clear()
            return None

    def _choose_route(self, question: Question, observations: NDArray[Any]) -> "_Route":
        if self._groups is None:
            self._groups = self._make_groups(observations)
        stacks = [(p, g) for p, g in self._groups if g.can_answer(question)]
        stacked = {position for positions, _ in stacks for position in positions}
        calls = [
            (position, call_of(member, question))
            for position, member in enumerate(self._members)
            if position not in stacked
        ]
        self._routes[question] = _Route(stacks, calls)
        return self._routes[question]

    def _make_groups(self, observations: NDArray[Any]) -> list[tuple[list[int], StackedGroup]]:
        candidates = [i for i, m in enumerate(self._members) if supports(m, Stackable)]
        if len(candidates) < 2 or not len(observations):  # noqa: PLR2004 - one is no stack
            return []
        # Members are asked before their keys: some have no structure before they have acted.
        probe, answers = self._answers(candidates, observations)
        by_key: dict[Hashable, list[int]] = {}
        for position in candidates:
            member = self._members[position]
            kind: type[object] = member.__class__
            by_key.setdefault((kind, member.stack_key()), []).append(position)
        groups: list[tuple[list[int], StackedGroup]] = []
        for positions in by_key.values():
            group = len(positions) > 1 and StackedGroup.checked(
                [self._members[i] for i in positions],
                probe,
                [answers[i] for i in positions],
                compiled=bool(self._compiled),
            )
            if group:
                groups.append((positions, group))
        return groups

    def _answers(
        self, candidates: list[int], observations: NDArray[Any]
    ) -> tuple[NDArray[Any], dict[int, Any]]:
        probe = probe_of(observations)
        try:
            return probe, {i: answers_of(self._members[i], probe) for i in candidates}
        except Exception:  # noqa: BLE001 - made-up observations may be refused; those that came not
            probe = observations[: len(probe)]
            return probe, {i: answers_of(self._members[i], probe) for i in candidates}


class _Route:
    """Who answers one question: stacks, and members by themselves."""

    def __init__(
        self, stacks: list[tuple[list[int], StackedGroup]], calls: list[tuple[int, Call]]
    ) -> None:
        self.stacks = stacks
        self.calls = calls
        self._rows: dict[int, NDArray[Any] | None] = {}

    def gather(self, answers: list[Any], question: Question) -> Any:
        """One array of the answers, or a pair; the list itself where there is none."""
        if not answers:
            return answers
        if question is Question.DISTRIBUTION and all(_is_pair(answer) for answer in answers):
            halves = [self._gathered([answer[i] for answer in answers], i) for i in range(2)]
            are_arrays = all(isinstance(half, np.ndarray) for half in halves)
            return tuple(halves) if are_arrays else answers
        return self._gathered(answers, 0)

    def _gathered(self, answers: list[Any], number: int) -> Any:
        rows = self._rows.get(number)
        if rows is None or not _fits(answers, rows):
            rows = self._rows[number] = _rows_for(answers)
            if rows is None:
                return answers
        for index, answer in enumerate(answers):
            rows[index] = answer
        return rows


def _fits(answers: list[Any], rows: NDArray[Any]) -> bool:
    if not all(isinstance(answer, np.ndarray) for answer in answers):
        return False
    arrays = cast("list[NDArray[Any]]", answers)
    shape, dtype = rows.shape[1:], rows.dtype
    return all(array.shape == shape and array.dtype == dtype for array in arrays)


def _rows_for(answers: list[Any]) -> NDArray[Any] | None:
    """An array that the answers fit in; None where they have no shape in common."""
    if not all(isinstance(answer, np.ndarray) for answer in answers):
        return None
    arrays = cast("list[NDArray[Any]]", answers)
    if any(array.shape != arrays[0].shape for array in arrays):
        return None
    dtype = np.result_type(*{array.dtype for array in arrays})
    return None if dtype.kind == "O" else np.empty((len(arrays), *arrays[0].shape), dtype)


def _is_pair(answer: Any) -> bool:
    return isinstance(answer, tuple) and len(cast("tuple[Any, ...]", answer)) == 2  # noqa: PLR2004


def _spread(answer: Any, positions: list[int], answers: list[Any]) -> None:
    """Put the rows of a stack's answer to their members' positions."""
    halves = cast("tuple[Any, Any]", answer) if isinstance(answer, tuple) else None
    for i, position in enumerate(positions):
        answers[position] = answer[i] if halves is None else (halves[0][i], halves[1][i])


def _real_rows(answer: Any) -> NDArray[Any]:
    rows = answer[0] if isinstance(answer, tuple) else answer  # pyright: ignore[reportUnknownVariableType]
    if not isinstance(rows, np.ndarray) or rows.dtype.kind != "f":  # pyright: ignore[reportUnknownMemberType]
        raise ContractViolationError(
            "only real numbers of one shape have a mean; let members vote on actions of other "
            "kinds, or ask for their distributions"
        )
    return cast("NDArray[Any]", rows)
