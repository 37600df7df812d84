"""What an item has to be, and what becomes of it."""

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_equal

from optix_core.errors import PipelineError
from optix_pipelines.live.live_item import ItemCheck, LiveItem

NOTHING = dict[str, Any]()
GOOD = (np.zeros(2), 1.0, False, False, NOTHING)


def check_second(item: Any, first: Any = GOOD) -> LiveItem:
    check = ItemCheck("Feed")
    check(first, 0, 1)
    return check(item, 17, 1)


BAD: list[tuple[Any, str]] = [
    ((np.zeros(2), 1.0), "must be"),
    ([np.zeros(2), 1.0, False, False, {}], "must be"),
    (None, "must be"),
    ((np.array([0.0, np.nan]), 1.0, False, False, NOTHING), "not finite"),
    ((np.array([0.0, np.inf]), 1.0, False, False, NOTHING), "not finite"),
    (([0.0, float("nan")], 1.0, False, False, NOTHING), "not finite"),
    ((np.zeros(3), 1.0, False, False, NOTHING), "layout"),
    ((np.zeros((2, 1)), 1.0, False, False, NOTHING), "layout"),
    ((None, 1.0, False, False, NOTHING), "layout"),
    (("text", 1.0, False, False, NOTHING), "layout"),
    ((np.zeros(2), float("nan"), False, False, NOTHING), "finite"),
    ((np.zeros(2), float("-inf"), False, False, NOTHING), "finite"),
    ((np.zeros(2), "1.0", False, False, NOTHING), "one number"),
    ((np.zeros(2), None, False, False, NOTHING), "one number"),
    ((np.zeros(2), np.zeros(2), False, False, NOTHING), "one number"),
    ((np.zeros(2), 1.0, 0, False, NOTHING), "terminated"),
    ((np.zeros(2), 1.0, False, "no", NOTHING), "truncated"),
    ((np.zeros(2), 1.0, False, False, None), "info"),
]


@pytest.mark.parametrize(("item", "complaint"), BAD)
def test_a_malformed_item_is_named_by_its_number(item: Any, complaint: str) -> None:
    with pytest.raises(PipelineError, match=rf"item 17 of Feed.*{complaint}"):
        check_second(item)


@pytest.mark.parametrize(
    "observation",
    [np.ones(2, np.float32), np.ones(2, np.int64), [1, 2], [0.5, 1.5]],
)
def test_what_has_the_first_ones_shape_will_do(observation: Any) -> None:
    item = check_second((observation, np.float32(2.0), np.True_, False, {"a": 1}))
    assert_equal(item.observation, observation)
    assert (item.reward, item.terminated, item.truncated) == (2.0, True, False)
    assert (item.offset, item.connection, item.info) == (17, 1, {"a": 1})


def test_nested_observations_are_compared_by_their_shapes() -> None:
    def nested(n: int, name: str = "book") -> Any:
        observation = {"price": 1.0, name: (np.zeros(n), "EUR")}
        return observation, 0, False, False, {}

    assert check_second(nested(3), nested(3)).offset == 17
    for other in (nested(4), nested(3, "books")):
        with pytest.raises(PipelineError, match="layout"):
            check_second(other, nested(3))


def test_items_share_no_memory_with_the_source() -> None:
    observation, info = np.zeros(2), {"bids": [1, 2]}
    item = check_second((observation, 0.0, False, False, info))
    observation[0], info["bids"][0] = 9.0, 9
    assert_equal(item.observation, [0.0, 0.0])
    assert item.info == {"bids": [1, 2]}
