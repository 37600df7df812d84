"""What `optix bench ensemble` measures, with sizes that take no time."""

import itertools
import re

import numpy as np
import pytest

from optix_cli import bench_command
from optix_cli.bench_command import Sizes, measure, table_of
from optix_cli.bench_members import RandomNetwork
from optix_cli.machine_speed import MachineSpeed, measure_machine, seconds_of
from optix_cli.measurement import Measurement
from optix_evolve import MemberInference, Question

from .conftest import RunCommand

MACHINE = MachineSpeed(read_bytes_per_s=10e9, products_per_s=20e9)
TINY = ("--members", "3", "--batch", "2", "--actions", "4", "--observation", "5", "--repeats", "1")


def a_machine(*, repeats: int) -> MachineSpeed:
    return MACHINE


def test_sizes_are_those_that_were_typed(
    optix: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench_command, "measure_machine", a_machine)
    done = optix("bench", "ensemble", *TINY, "--hidden", "6", "7")
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0] == "3 members 5-6-7-4, batch 2, float32"
    assert lines[1] == "This machine reads 10.0 GB/s and multiplies matrices at 40 GFLOP/s"
    for name in ("weighted mean", "weighted vote", "forward pass"):
        assert re.search(rf"^{name} +[\d.,]+ (μs|ms) +[\d.]+× ", done.out, re.MULTILINE), name


def test_work_is_counted_from_the_sizes() -> None:
    sizes = Sizes(members=3, batch=2, actions=4, observation=5, hidden=(6,), repeats=1)
    mean, vote, forward = measure(sizes)
    assert mean.n_bytes == 3 * 2 * 4 * 4
    assert vote.n_bytes == 3 * 2 * 8
    assert forward.products == 3 * 2 * (5 * 6 + 6 * 4)
    assert forward.n_bytes == 4 * (3 * (5 * 6 + 6 + 6 * 4 + 4) + 2 * 5)
    assert forward.name == "forward pass"


def test_shares_are_those_of_the_machine() -> None:
    one = Measurement(
        name="x", seconds=1e-3, loop_seconds=5e-3, n_bytes=5_000_000, products=2_000_000
    )
    cells = [list(column.cells) for column in table_of([one], MACHINE).columns]
    assert cells == [["x"], ["1.00 ms"], ["5.0×"], ["5.00"], ["50%"], ["4.0"], ["10%"]]


def test_members_run_as_one_and_agree_with_a_loop() -> None:
    rng = np.random.default_rng(0)
    members = [RandomNetwork((3, 8, 2), rng) for _ in range(4)]
    observations = rng.random((5, 3), np.float32)
    inference = MemberInference(members)
    together = inference.ask(Question.GREEDY, observations)
    assert inference.stacked == ((0, 1, 2, 3),)
    alone = np.stack([member.act_batch(observations) for member in members])
    np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(members[0].act(observations[0]), alone[0, 0], rtol=1e-5, atol=1e-6)


def test_the_quickest_repeat_counts() -> None:
    # Two readings each for the first look and three repeats of one call.
    readings = itertools.accumulate([0.0, 1.0, 0.0, 5.0, 0.0, 3.0, 0.0, 4.0])
    assert seconds_of(lambda: None, repeats=3, clock=lambda: next(readings)) == 3.0


def test_short_calls_are_repeated_within_a_measurement() -> None:
    calls: list[None] = []
    readings = itertools.accumulate([0.0, 0.005, 0.0, 0.08])
    seconds = seconds_of(lambda: calls.append(None), repeats=1, clock=lambda: next(readings))
    assert len(calls) == 1 + 1 + 4
    assert seconds == pytest.approx(0.02)


def test_a_machine_has_limits() -> None:
    machine = measure_machine(repeats=1, read_bytes=1 << 16)
    assert machine.read_bytes_per_s > 0
    assert machine.products_per_s > 0


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        (("--members", "0"), "--members must be at least 1, got 0"),
        (("--repeats", "0"), "--repeats must be at least 1, got 0"),
        (("--hidden", "8", "0"), "--hidden must be at least 1, got [8, 0]"),
    ],
)
def test_sizes_are_checked(optix: RunCommand, tokens: tuple[str, ...], words: str) -> None:
    done = optix("bench", "ensemble", *tokens)
    assert done.code == 1
    assert words in done.err
