"""Any bytes in the place of any file of ours give what was written or a typed error."""

import json
import random
from collections.abc import Iterable, Iterator
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .fuzz_targets import TARGETS, quick, seeds

TOKENS = [
    b"", b"{", b"}", b"[", b"]", b'"', b"\\", b",", b":", b"=", b"\n", b"\0", b"\xff", b"null",
    b"NaN", b"Infinity", b"1e999", b"-1", b"9" * 30, b"9" * 5000, b"true", b'"x"', b"[" * 2000,
    b'{"a":' * 2000, b'{"$float":"nan"}', b'{"$x":1}', b"\xed\xa0\x80", b'"\\ud800"',
    b"schema_version", b"[[a]]\n", b"a.b.c=1\n", b"1979-05-27T07:32:00Z", b"F64", b"__metadata__",
    b"../../outside", b"/etc/passwd",
]  # fmt: skip
WORDS = st.sampled_from(TOKENS)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["nan", "$float", "snapshot-000001", "../x", "F64"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=6) | st.just("$float"), inner, max_size=4)
    ),
    max_leaves=8,
)


def spliced(seed: bytes, place: float, length: int, word: bytes) -> bytes:
    """A stretch of the seed replaced by another."""
    begin = int(place * len(seed))
    return seed[:begin] + word + seed[begin + length :]


def with_one_value_changed(seed: bytes, place: float, value: Any) -> bytes:
    """JSON with one of its values, at whatever depth, replaced; other text as it is."""
    try:
        document = json.loads(seed)
    except ValueError:
        return seed
    spots = list(_spots(document))
    if spots:
        holder, key = spots[int(place * len(spots))]
        holder[key] = value
    return json.dumps(document).encode()


def _spots(node: Any) -> Iterator[tuple[Any, Any]]:
    keys: Iterable[Any] = ()
    if isinstance(node, dict):
        keys = list(cast("dict[str, Any]", node))
    elif isinstance(node, list):
        keys = range(len(cast("list[Any]", node)))
    for key in keys:
        yield node, key
        yield from _spots(node[key])


PLACES = st.floats(0, 1, exclude_max=True)


def inputs(target: str) -> st.SearchStrategy[bytes]:
    seed = st.sampled_from(seeds(target))
    return (
        st.binary(max_size=200)
        | st.lists(WORDS, max_size=6).map(b"".join)
        | st.builds(spliced, seed, PLACES, st.integers(0, 20), WORDS | st.binary(max_size=20))
        | st.builds(with_one_value_changed, seed, PLACES, JSON)
    )


@pytest.mark.parametrize("target", TARGETS)
def test_what_was_written_is_read_and_what_once_broke_a_reader_is_refused(target: str) -> None:
    with quick():
        for seed in seeds(target):
            TARGETS[target](seed)


def attempt(target: str, n_inputs: int) -> None:
    @settings(max_examples=n_inputs)
    @given(data=inputs(target))
    def read(data: bytes) -> None:
        TARGETS[target](data)

    with quick():
        read()


@pytest.mark.parametrize("target", TARGETS)
def test_any_bytes_are_read_or_refused(target: str) -> None:
    attempt(target, 40)


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_many_bytes_are_read_or_refused(target: str) -> None:
    attempt(target, 500)


@pytest.mark.nightly
@pytest.mark.parametrize("target", TARGETS)
def test_ten_thousand_inputs_are_read_or_refused(target: str) -> None:
    attempt(target, 10_000)


@pytest.mark.parametrize("target", TARGETS)
def test_every_truncation_is_read_or_refused(target: str) -> None:
    (seed, *_) = seeds(target)
    sizes = random.Random(0).sample(range(len(seed)), min(len(seed), 40))  # noqa: S311
    with quick():
        for size in sizes:
            TARGETS[target](seed[:size])
