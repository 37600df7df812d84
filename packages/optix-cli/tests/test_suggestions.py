"""What is guessed for a name that does not exist."""

import pytest

from optix_cli.suggestions import did_you_mean, nearest

NAMES = ["learning_rate", "n_epochs", "clip_ratio", "entropy_coeff"]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("lr", ["learning_rate"]),
        ("epochs", ["n_epochs"]),
        ("clip", ["clip_ratio"]),
        ("Learning_Rat", ["learning_rate"]),
        ("zzz", []),
        ("", []),
    ],
)
def test_misspelt_and_abbreviated_names(name: str, meant: list[str]) -> None:
    assert nearest(name, NAMES) == meant


def test_the_best_guess_comes_first() -> None:
    ids = ["CartPole-v0", "CartPole-v1", "Acrobot-v1"]
    assert nearest("cartpole-v1", ids) == ["CartPole-v1", "CartPole-v0"]
    assert did_you_mean("cartpole-v1", ids) == " Did you mean CartPole-v1 or CartPole-v0?"
    assert did_you_mean("zzz", ids) == ""
