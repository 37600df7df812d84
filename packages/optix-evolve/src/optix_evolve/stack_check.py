"""Whether a stack of members answers as its members do, one by one, on a few observations."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optix_core.abilities import HasState, supports
from optix_evolve.member_calls import Question, call_of, can_answer

TOLERANCE = 1e-4
"""Largest difference, absolute and relative to the answer, at which a stack is trusted."""

_ROWS = 4

Answers = dict[Question, Any]


def probe_of(observations: NDArray[Any]) -> NDArray[Any]:
    """Observations to check a stack on: some that came, and for real numbers others about them.

    One observation alone would not show a difference in a part of the network that it leaves
    silent.
    """
    seen = observations[:_ROWS]
    if seen.dtype.kind != "f":
        return seen
    wave = np.sin(np.arange(1.0, seen.size + 1.0)).reshape(seen.shape)
    return np.concatenate((seen, (wave - seen).astype(seen.dtype)))


def answers_of(member: Any, probe: NDArray[Any]) -> Answers:
    """A member's own answers to every question that can be asked without leaving a trace.

    Exploring actions are asked for where the member's state can be put back. A member that can
    neither act greedily nor be put back is asked all the same: it should have no state.
    """
    answers: Answers = {
        question: call_of(member, question)(probe)
        for question in (Question.GREEDY, Question.DISTRIBUTION)
        if can_answer(member, question)
    }
    if supports(member, HasState):
        answers[Question.EXPLORING] = without_trace(
            [member], lambda: call_of(member, Question.EXPLORING)(probe)
        )
    elif Question.GREEDY not in answers:
        answers[Question.EXPLORING] = call_of(member, Question.EXPLORING)(probe)
    return answers


def without_trace(members: Sequence[Any], ask: Callable[[], Any]) -> Any:
    """Ask, and put back the state of members that have one."""
    states = [(m, m.state_dict()) for m in members if supports(m, HasState)]
    try:
        return ask()
    finally:
        for member, state in states:
            member.load_state_dict(state)


def agrees(given: Any, expected: Sequence[Any]) -> bool:
    """Whether stacked answers [M, B, ...], or a pair of such, are those of the members."""
    if isinstance(given, tuple):
        if not all(isinstance(answer, tuple) and len(answer) == len(given) for answer in expected):  # pyright: ignore[reportUnknownArgumentType]
            return False
        parts: list[Any] = list(given)  # pyright: ignore[reportUnknownArgumentType]
        return all(agrees(part, [answer[i] for answer in expected]) for i, part in enumerate(parts))
    rows = np.asarray(given)
    return len(rows) == len(expected) and all(
        _is_close(row, np.asarray(answer)) for row, answer in zip(rows, expected, strict=True)
    )


def _is_close(row: NDArray[Any], answer: NDArray[Any]) -> bool:
    if row.shape != answer.shape or (row.dtype.kind == "f") != (answer.dtype.kind == "f"):
        return False
    if answer.dtype.kind != "f":
        return bool(np.array_equal(row, answer))
    return bool(np.allclose(row, answer, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True))
