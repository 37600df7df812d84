"""What is tunable: a declaration holds, bounds fill in, the rest is inferred and remembered."""

import json
import logging
import math
from typing import Any

import pytest

from optix_core.domain import Domain
from optix_core.domain_inference import INTEGER, POSITIVE, POSITIVE_INTEGER, REAL, UNIT_INTERVAL
from optix_core.errors import CheckpointCorruptError, ConfigurationError
from optix_core.hyperparam_space import HyperparamSpace

PARAMS: dict[str, Any] = {
    "learning_rate": 3e-4,
    "gamma": 0.99,
    "use_gae": True,
    "epochs": 4,
    "activation": "tanh",
    "layers": [64, 64],
    "shift": -1.0,
    "lag": 0,
    "reward_scale": 1.0,
    "schedule": None,
}


def test_without_a_declaration_every_number_is_tunable_in_order() -> None:
    assert list(HyperparamSpace().tunable(PARAMS).items()) == [
        ("learning_rate", UNIT_INTERVAL),
        ("gamma", UNIT_INTERVAL),
        ("epochs", POSITIVE_INTEGER),
        ("shift", REAL),
        ("lag", INTEGER),
        ("reward_scale", POSITIVE),
    ]


def test_bounds_win_over_what_is_inferred() -> None:
    space = HyperparamSpace({"gamma": (0.9, 1.0), "use_gae": (0, 1)})
    domains = space.tunable(PARAMS)
    assert domains["gamma"] == Domain(low=0.9, high=1.0)
    assert domains["learning_rate"] == UNIT_INTERVAL
    assert "use_gae" not in domains


def test_a_declaration_holds_and_bounds_give_the_ends_that_it_leaves_open() -> None:
    space = HyperparamSpace({"learning_rate": (1e-5, 1e-2), "epochs": (1, 9), "activation": (0, 1)})
    space.declare(
        {
            "learning_rate": Domain(low=1e-6, log=True, role="step_size"),
            "shift": Domain(),
            "lag": Domain(choices=(0, 8)),
            "activation": Domain(choices=("tanh", "relu")),
        }
    )
    domains = space.tunable(PARAMS)
    assert list(domains) == ["learning_rate", "epochs", "shift"]
    assert domains["learning_rate"] == Domain(low=1e-6, high=1e-2, log=True, role="step_size")
    assert domains["shift"] == Domain()


def test_a_category_stays_one_also_with_bounds() -> None:
    space = HyperparamSpace({"lag": (0, 8)})
    space.declare({"lag": Domain(choices=(0, 8))})
    assert space.tunable(PARAMS) == {}


def test_an_empty_declaration_means_that_nothing_may_be_tuned() -> None:
    space = HyperparamSpace()
    space.declare({})
    assert space.tunable(PARAMS) == {}


def test_the_first_inference_holds_while_values_suit_it() -> None:
    space = HyperparamSpace()
    assert space.tunable({"c": 1.1}) == {"c": POSITIVE}
    assert space.tunable({"c": 0.9}) == {"c": POSITIVE}
    assert space.tunable({"c": -1.0}) == {"c": REAL}
    assert space.tunable({"c": 2}) == {"c": POSITIVE_INTEGER}
    assert space.tunable({"c": math.nan}) == {}


def test_what_was_inferred_survives_json() -> None:
    space = HyperparamSpace()
    space.tunable(PARAMS)
    again = HyperparamSpace()
    again.load_state_dict(json.loads(json.dumps(space.state_dict())))
    assert again.tunable({"reward_scale": 0.5}) == {"reward_scale": POSITIVE}
    with pytest.raises(CheckpointCorruptError, match="complex"):
        again.load_state_dict({"c": "complex"})


@pytest.mark.parametrize("bounds", [(2, 1), (0,), (0, 1, 2), 3, ("a", "b"), (0, math.nan), None])
def test_bounds_that_are_no_pair_are_refused_by_name(bounds: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"param_bounds\['gamma'\]"):
        HyperparamSpace({"gamma": bounds})


def test_bounds_of_an_unknown_name_are_said_once(caplog: pytest.LogCaptureFixture) -> None:
    space = HyperparamSpace({"learning_rat": (0, 1)})
    with caplog.at_level(logging.WARNING):
        space.tunable(PARAMS)
        space.tunable(PARAMS)
    assert len(caplog.records) == 1
    assert "learning_rat," in caplog.text
    assert "activation" in caplog.text


def test_what_is_declared_for_branches_moves_there_alone_or_within_the_users_bounds() -> None:
    params = {"gamma": 0.9, "rate": 0.1}
    domains = {"gamma": Domain(low=0.5, high=0.99, role="branches"), "rate": Domain(low=0.0)}
    space = HyperparamSpace()
    space.declare(domains)
    assert list(space.tunable(params)) == ["rate"]
    assert space.tunable(params, on_branches=True) == domains
    bounded = HyperparamSpace({"gamma": (0.0, 1.0)})
    bounded.declare(domains)
    assert list(bounded.tunable(params)) == ["gamma", "rate"]
