"""How one member is asked: for its actions or its distributions, by the best it offers."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from optix_core.abilities import (
    ActsGreedily,
    ActsGreedilyInBatch,
    ActsInBatch,
    HasActionDistribution,
    supports,
)
from optix_core.errors import ContractViolationError

Call = Callable[[NDArray[Any]], Any]
"""From observations [B, ...] to one member's answer, a batch [B, ...]."""


class Question(StrEnum):
    """What members can be asked for."""

    EXPLORING = "exploring"
    """Actions with the members' own exploration: `act_batch`, or `act` row by row."""
    GREEDY = "greedy"
    """Actions held best: `act_greedy_batch`, or `act_greedy`; by `act` of those without."""
    DISTRIBUTION = "distribution"
    """Probabilities [B, K], or (mean, std) each [B, A]: `action_distribution`."""


def can_answer(member: object, question: Question) -> bool:
    """Whether a member has its own answer to a question; every agent acts."""
    match question:
        case Question.EXPLORING:
            return True
        case Question.GREEDY:
            return supports(member, ActsGreedilyInBatch) or supports(member, ActsGreedily)
        case Question.DISTRIBUTION:
            return supports(member, HasActionDistribution)


def call_of(member: Any, question: Question) -> Call:
    """Choose how to ask a member, so that asking costs nothing beyond the member's own call.

    Raises:
        ContractViolationError: for distributions of a member that has none.
    """
    if question is Question.DISTRIBUTION:
        if not supports(member, HasActionDistribution):
            raise ContractViolationError(
                f"{type(member).__name__} has no action_distribution; ask for actions, or leave "
                "it out"
            )
        return member.action_distribution
    if question is Question.GREEDY:
        if supports(member, ActsGreedilyInBatch):
            return member.act_greedy_batch
        if supports(member, ActsGreedily):
            return _row_by_row(member.act_greedy)
    return member.act_batch if supports(member, ActsInBatch) else _row_by_row(member.act)


def _row_by_row(act: Callable[[Any], Any]) -> Call:
    return lambda observations: batch_of([act(observation) for observation in observations])


def batch_of(actions: Sequence[Any]) -> Any:
    """Make a batch of single actions; containers part by part."""
    first = actions[0]
    if isinstance(first, Mapping):
        parts = cast("Sequence[Mapping[Any, Any]]", actions)
        return {key: batch_of([part[key] for part in parts]) for key in parts[0]}
    if isinstance(first, tuple):
        return tuple(batch_of(list(part)) for part in zip(*actions, strict=True))
    return np.stack([np.asarray(action) for action in actions])
