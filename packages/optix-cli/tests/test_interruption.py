"""Signals: the first ends the run in good order, the second quits at once."""

import os
import signal
import subprocess
import sys

import pytest

from optix_cli.interruption import exit_code, interruptible


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_a_keyboard_interrupt(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt, match=number.name), interruptible():
        signal.raise_signal(number)
    assert signal.getsignal(number) is before


def test_a_lost_interrupt_is_found_by_asking() -> None:
    with interruptible() as interruption:
        interruption.check()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt, match="SIGTERM"):
            interruption.check()


def test_the_second_signal_quits_at_once() -> None:
    script = """
import signal
from optix_cli.interruption import interruptible
with interruptible():
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        print("closing", flush=True)
        signal.raise_signal(signal.SIGINT)
        print("still here", flush=True)
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env=dict(os.environ),
    )
    assert done.returncode == exit_code("SIGINT") == 130
    assert done.stdout == "closing\n"


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("", 130)])
def test_exit_codes_are_those_of_shells(name: str, code: int) -> None:
    assert exit_code(name) == code
