"""C07: whichever operation of the system fails, and how, the state is as before or as after."""

import pytest

from .script import run_script


def check(code: str, step: int) -> None:
    lines = run_script("failing_operations", code, step, timeout_s=300).splitlines()
    counts = {name: int(count) for name, count in map(str.split, lines)}
    assert counts["saving"] > 40
    assert counts["loading"] > 20
    assert counts["running"] > 20


def test_operations_meet_a_full_disk() -> None:
    check("ENOSPC", 5)


@pytest.mark.slow
@pytest.mark.parametrize("code", ["ENOSPC", "EIO", "EACCES", "EDQUOT"])
def test_every_operation_fails_in_every_way(code: str) -> None:
    check(code, 1)
