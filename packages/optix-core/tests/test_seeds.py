"""Seed streams: reproducible, disjoint, and prefix-stable."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optix_core.errors import ConfigurationError
from optix_core.seeds import SeedPlan

STREAMS = ("agent", "training", "validation", "test", "tuner", "evolution")


@given(st.integers(0, 2**64))
def test_streams_of_a_seed_share_no_number(seed: int) -> None:
    plan = SeedPlan(seed)
    drawn = [number for stream in STREAMS for number in plan.integers(stream, 50)]
    assert len(set(drawn)) == len(drawn)
    assert all(0 <= number < 2**63 for number in drawn)


@given(st.integers(0, 2**32), st.integers(1, 20), st.integers(0, 20))
def test_a_longer_list_begins_with_the_shorter_one(seed: int, short: int, more: int) -> None:
    plan = SeedPlan(seed)
    assert plan.integers("test", short + more)[:short] == plan.integers("test", short)
    assert plan.integer("test") == plan.integers("test", short)[0]


def test_no_seed_draws_one_that_can_be_used_again() -> None:
    plan = SeedPlan.from_optional(None)
    assert SeedPlan(plan.seed).generator("tuner").random() == plan.generator("tuner").random()


def test_bad_seeds_and_streams_are_named() -> None:
    with pytest.raises(ConfigurationError, match="-1"):
        SeedPlan(-1)
    with pytest.raises(ConfigurationError, match=r"'trainig'.*training"):
        SeedPlan(0).integer("trainig")
