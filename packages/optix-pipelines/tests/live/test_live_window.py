"""Rows and successors of live windows, against the rule told in plain Python."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_equal

from optix_core.episode_data import EpisodeData
from optix_pipelines.live.live_item import LiveItem
from optix_pipelines.live.live_window import LiveWindow


@dataclass(frozen=True)
class Event:
    """An item, and what stood before it."""

    terminated: bool = False
    truncated: bool = False
    n_missing: int = 0
    after_gap: bool = False


events = st.lists(
    st.builds(
        Event,
        terminated=st.booleans(),
        truncated=st.booleans(),
        n_missing=st.sampled_from([0, 0, 0, 2]),
        after_gap=st.sampled_from([False, False, False, True]),
    ),
    min_size=1,
    max_size=12,
)


def build(
    script: list[Event], *, has_successor: bool, ends_in_gap: bool
) -> tuple[EpisodeData, LiveWindow]:
    window, offset = LiveWindow(next_offset=100, return_before=7.0), 100
    for event in script:
        if event.after_gap:
            window.cut_off()
        offset += event.n_missing
        window.append(live_item(offset, event), action=-offset, now=0.0)
        offset += 1
    if ends_in_gap:
        window.cut_off()
    successor = live_item(offset, Event()) if has_successor else None
    data = window.build(successor, window_id=3, timestamp=9.0, is_partial=False)
    return data, window


def live_item(offset: int, event: Event) -> LiveItem:
    return LiveItem(
        offset,
        1,
        np.array([float(offset)]),
        float(offset),
        terminated=event.terminated,
        truncated=event.truncated,
        info={"number": offset},
    )


@given(script=events, has_successor=st.booleans(), ends_in_gap=st.booleans())
def test_equals_the_rule(script: list[Event], has_successor: bool, ends_in_gap: bool) -> None:  # noqa: FBT001
    data, window = build(script, has_successor=has_successor, ends_in_gap=ends_in_gap)
    offsets, offset = list[int](), 100
    for event in script:
        offsets.append(offset + event.n_missing)
        offset = offsets[-1] + 1
    assert_equal(data.observations, np.array(offsets, float)[:, None])
    assert_equal(data.rewards, np.array(offsets, float))
    assert_equal(data.actions, -np.array(offsets))
    assert [info["number"] for info in data.infos] == offsets
    ended_return, returns = 0.0 if script[0].after_gap else 7.0, list[float]()
    for row, event in enumerate(script):
        is_last = row == len(script) - 1
        gap = ends_in_gap if is_last else script[row + 1].after_gap
        missing = 0 if is_last else script[row + 1].n_missing
        ended = event.terminated or event.truncated or gap
        knows_next = has_successor if is_last else not missing
        follows = offsets[row] + 1 if is_last else offsets[row + 1]
        own = ended or (is_last and not has_successor)
        assert data.terminated[row] == event.terminated
        assert data.truncated[row] == (event.truncated or (gap and not event.terminated))
        assert data.next_observations[row] == (offsets[row] if own else follows)
        assert data.metadata["successor_known"][row] == (not ended and knows_next)
        ended_return += offsets[row]
        if ended:
            returns.append(ended_return)
            ended_return = 0.0
    assert_equal(data.episode_returns, np.array(returns))
    assert window.return_after == ended_return
    assert data.metadata["dropped"] == sum(event.n_missing for event in script)
    assert data.metadata["gaps"] == sum(event.after_gap for event in script) + ends_in_gap
    assert data.metadata["next_offset"] == window.next_offset == offsets[-1] + 1


def test_an_item_far_ahead_is_no_successor() -> None:
    window = LiveWindow(next_offset=0, return_before=0.0)
    window.append(live_item(0, Event()), action=0, now=0.0)
    data = window.build(live_item(5, Event()), window_id=0, timestamp=0.0, is_partial=True)
    assert_equal(data.next_observations, [[0.0]])
    assert data.partial
    assert not data.metadata["successor_known"].any()


def test_progress_counts_from_the_first_row() -> None:
    window: Any = LiveWindow(next_offset=0, return_before=0.0)
    assert window.progress(50.0) is None
    window.append(live_item(0, Event()), action=0, now=60.0)
    assert window.progress(63.5).elapsed_s == 3.5
    assert (window.progress(63.5).n_rows, window.progress(63.5).truncated) == (1, False)
    window.cut_off()
    assert window.progress(63.5).truncated
