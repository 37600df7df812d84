"""Optional abilities: inherited fast paths are trusted only where they belong to `act`."""

from typing import Any

import pytest

from optix_core.abilities import (
    ActsGreedily,
    ActsInBatch,
    DeclaresHyperparams,
    HasReplay,
    HasState,
    NamesLosses,
    Seedable,
    supports,
)


class Plain:
    def act(self, observation: Any) -> Any:
        return observation


class Fast(Plain):
    def act(self, observation: Any) -> Any:
        return observation

    def act_batch(self, observations: Any) -> Any:
        return observations

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


class OverridesActAlone(Fast):
    def act(self, observation: Any) -> Any:
        return -observation


class AddsGreedyToTheSameAct(Plain):
    def act_greedy(self, observation: Any) -> Any:
        return observation


class OverridesBoth(Fast):
    def act(self, observation: Any) -> Any:
        return -observation

    def act_batch(self, observations: Any) -> Any:
        return -observations


class Inherits(Fast):
    pass


def test_a_method_counts_where_it_was_defined_with_act_or_below() -> None:
    assert supports(Fast(), ActsInBatch)
    assert supports(Inherits(), ActsInBatch)
    assert supports(OverridesBoth(), ActsInBatch)
    assert supports(AddsGreedyToTheSameAct(), ActsGreedily)


def test_overriding_act_alone_drops_the_inherited_fast_path() -> None:
    assert not supports(OverridesActAlone(), ActsInBatch)


def test_state_has_nothing_to_do_with_act() -> None:
    assert supports(OverridesActAlone(), HasState)


def test_what_is_missing_is_not_supported() -> None:
    assert not supports(Plain(), ActsInBatch)
    assert not supports(Plain(), DeclaresHyperparams)
    assert not supports(None, Seedable)


class Delegates:
    """Passes on what it does not have itself."""

    def __init__(self, inner: object) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class GivesUpItsState(Fast):
    state_dict = None  # pyright: ignore[reportAssignmentType]


def test_an_ability_may_be_one_instances_own() -> None:
    agent = Plain()
    assert not supports(agent, Seedable)
    vars(agent)["seed"] = print
    assert supports(agent, Seedable)
    assert not supports(Plain(), Seedable)


@pytest.mark.parametrize("ability", [ActsInBatch, ActsGreedily, HasState, Seedable, NamesLosses])
def test_isinstance_is_not_contradicted_save_for_inherited_fast_paths(ability: type) -> None:
    things = [Plain(), Fast(), Inherits(), OverridesBoth(), AddsGreedyToTheSameAct(), None]
    things += [Delegates(Fast()), Delegates(Plain()), GivesUpItsState()]
    for thing in things:
        assert supports(thing, ability) == isinstance(thing, ability), thing


def test_what_a_class_sets_to_none_is_missing() -> None:
    assert not supports(GivesUpItsState(), HasState)


class Remembers(Fast):
    def replay_extent(self) -> None:
        """Hold nothing."""

    def replay_rows(self, start: int, end: int) -> dict[str, Any]:
        return {}

    def state_without_replay(self) -> dict[str, Any]:
        return {}

    def load_with_replay(self, state: dict[str, Any], rows: dict[str, Any]) -> None:
        pass


class AddsToItsState(Remembers):
    def state_dict(self) -> dict[str, Any]:
        return {"more": 1}


def test_a_state_without_rows_counts_where_the_state_is_no_newer() -> None:
    assert supports(Remembers(), HasReplay)
    assert not supports(AddsToItsState(), HasReplay)
    assert supports(AddsToItsState(), HasState)
