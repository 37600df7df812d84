"""`--set name=value`: what is taken, and what is refused with which words."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optix_cli.overrides import parse_value, parse_values, split_assignments, unknown_name
from optix_core.errors import ConfigurationError

NAMES = st.text(st.characters(exclude_characters="="), min_size=1).filter(
    lambda name: name.strip() == name
)


@given(st.dictionaries(NAMES, st.text().map(str.strip)))
def test_assignments_split_at_the_first_equals_sign(assignments: dict[str, str]) -> None:
    texts = [f"{name}={value}" for name, value in assignments.items()]
    assert split_assignments(texts) == assignments


@pytest.mark.parametrize("text", ["", "gamma", "=1", " =1"])
def test_what_is_no_assignment_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="takes name=value, got"):
        split_assignments([text])


def test_a_name_given_twice_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="gives 'gamma' twice"):
        split_assignments(["gamma=1", "gamma=2"])


@given(st.integers(), st.integers())
def test_an_int_default_takes_whole_numbers(value: int, default: int) -> None:
    parsed = parse_value("n", str(value), default)
    assert parsed == value
    assert type(parsed) is int


@given(st.floats(allow_nan=False), st.floats())
def test_a_float_default_takes_any_number(value: float, default: float) -> None:
    parsed = parse_value("x", repr(value), default)
    assert parsed == value
    assert type(parsed) is float


@given(st.text(), st.text())
def test_a_string_stays_a_string(value: str, default: str) -> None:
    assert parse_value("s", value, default) == value


def test_a_string_is_never_evaluated() -> None:
    canary = "__import__('os').system('false')"
    assert parse_value("activation", canary, "tanh") == canary


@pytest.mark.parametrize(
    ("text", "default", "expected"),
    [
        ("true", False, True),
        ("No", True, False),
        ("0", True, False),
        ("1e5", 3, 100_000),
        ("2", 0.5, 2.0),
        ("inf", 0.5, math.inf),
        ("none", None, None),
        ("7", None, 7),
        ("0.5", None, 0.5),
        ("adam", None, "adam"),
        ("64,32", [1, 2], [64, 32]),
        ("[64, 32]", (1, 2), [64, 32]),
        ("", [1], []),
    ],
)
def test_values_by_the_type_of_their_default(text: str, default: object, expected: object) -> None:
    parsed = parse_value("name", text, default)
    assert parsed == expected
    assert type(parsed) is type(expected)


@pytest.mark.parametrize(
    ("text", "default", "wanted"),
    [
        ("fast", 0.1, "must be a number, got 'fast'"),
        ("nan", 0.1, "must be a number, got 'nan'"),
        ("0.5", 3, "must be a whole number, got '0.5'"),
        ("inf", 3, "must be a whole number, got 'inf'"),
        ("maybe", True, "must be true or false, got 'maybe'"),
        ("1", {"a": 1}, "cannot be set on the command line: it is a dict"),
    ],
)
def test_a_bad_value_names_the_setting_and_the_value(
    text: str, default: object, wanted: str
) -> None:
    with pytest.raises(ConfigurationError, match="name") as caught:
        parse_value("name", text, default)
    assert wanted in str(caught.value)


def test_an_unknown_name_lists_the_known_and_guesses() -> None:
    error = unknown_name(
        "learning_rat", {"hyperparameters": ["learning_rate", "gamma"], "loop settings": ["n_envs"]}
    )
    assert str(error) == (
        "--set knows no 'learning_rat'. Did you mean learning_rate? Known hyperparameters: "
        "gamma, learning_rate; loop settings: n_envs"
    )


def test_parse_values_refuses_a_name_without_default() -> None:
    with pytest.raises(ConfigurationError, match="knows no 'b'"):
        parse_values({"b": "1"}, {"a": 1})
