"""What is let through to stderr while TensorFlow is imported."""

import os

import pytest

from optix_cli.tensorflow_environment import quiet_tensorflow

NOISE = (
    "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n"
    "I0000 00:00:1795496073.018952   29733 cudart_stub.cc:31] Could not find cuda drivers.\n"
)


def test_log_lines_are_dropped_and_others_kept(capfd: pytest.CaptureFixture[str]) -> None:
    environment: dict[str, str] = {}
    with quiet_tensorflow(environment):
        os.write(2, NOISE.encode())
        os.write(2, b"a warning of somebody else\n")
    assert capfd.readouterr().err == "a warning of somebody else\n"
    assert environment["TF_CPP_MIN_LOG_LEVEL"] == "3"


def test_what_the_user_has_set_stays() -> None:
    environment = {"TF_CPP_MIN_LOG_LEVEL": "0"}
    with quiet_tensorflow(environment):
        pass
    assert environment["TF_CPP_MIN_LOG_LEVEL"] == "0"


def test_an_error_gives_stderr_back(capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        os.write(2, b"why it failed\n")
        raise ImportError

    with pytest.raises(ImportError), quiet_tensorflow({}):
        fail()
    os.write(2, b"and on\n")
    assert capfd.readouterr().err == "why it failed\nand on\n"
