"""`optix bench ensemble`: what an ensemble of the user's sizes costs on this machine."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from cyclopts import Parameter
from rich.table import Table

from optix_cli.bench_members import RandomNetwork
from optix_cli.console import output_console, print_line
from optix_cli.machine_speed import MachineSpeed, measure_machine, seconds_of
from optix_cli.measurement import Measurement
from optix_cli.scaling_plot import Panel, check_plot_path, scaling_svg, sizes_up_to
from optix_core.errors import ConfigurationError
from optix_evolve import MemberInference, Question
from optix_evolve.action_arithmetic import MemberWeights, weighted_mean, weighted_vote

_NOTHING = "-"
_MILLI = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """What was asked for.

    Raises:
        ConfigurationError: if a number is below 1.
    """

    members: int
    batch: int
    actions: int
    observation: int
    hidden: tuple[int, ...]
    repeats: int

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name in ("members", "batch", "actions", "observation", "repeats"):
            if getattr(self, name) < 1:
                raise ConfigurationError(f"--{name} must be at least 1, got {getattr(self, name)}")
        if any(width < 1 for width in self.hidden):
            raise ConfigurationError(f"--hidden must be at least 1, got {list(self.hidden)}")

    @property
    def widths(self) -> tuple[int, ...]:
        """Width of each layer of a member, its input first."""
        return (self.observation, *self.hidden, self.actions)


def ensemble(
    *,
    members: int = 64,
    batch: int = 256,
    actions: int = 6,
    observation: int = 17,
    hidden: Annotated[tuple[int, ...], Parameter(consume_multiple=True, negative="")] = (64, 64),
    repeats: int = 5,
    plot: Path | None = None,
) -> None:
    """Measure what an ensemble of these sizes costs here, and how near that is to the limit.

    Args:
        members: Policies in the ensemble.
        batch: Observations at once.
        actions: Numbers in an action, and choices of a vote.
        observation: Numbers in an observation.
        hidden: Width of each hidden layer of a member.
        repeats: How often to measure; the quickest counts.
        plot: Draw how the times grow with members and with the batch up to these sizes: an SVG.
    """
    if plot is not None:
        check_plot_path(plot)
    sizes = Sizes(
        members=members,
        batch=batch,
        actions=actions,
        observation=observation,
        hidden=hidden,
        repeats=repeats,
    )
    console = output_console()
    with console.status("Measuring this machine"):
        machine = measure_machine(repeats=repeats)
    with console.status("Measuring the ensemble"):
        measured = measure(sizes)
    widths = "-".join(map(str, sizes.widths))
    print_line(console, f"{members} members {widths}, batch {batch}, float32")
    print_line(
        console,
        f"This machine reads {machine.read_bytes_per_s / 1e9:.1f} GB/s and multiplies matrices at "
        f"{2 * machine.products_per_s / 1e9:.0f} GFLOP/s",
    )
    console.print(table_of(measured, machine))
    if plot is not None:
        with console.status("Measuring smaller ensembles"):
            panels = measure_scaling(sizes)
        plot.write_text(scaling_svg(panels, title=f"Ensembles of {widths}, float32"), "utf-8")
        print_line(console, f"Drawn: {plot}")


def measure_scaling(sizes: Sizes) -> list[Panel]:
    """Measure up to these sizes: over members at the whole batch, over the batch at all members."""
    batch, members = sizes.batch, sizes.members
    return [
        Panel(
            x_label=f"members (batch {batch:,})",
            measured={n: measure(replace(sizes, members=n)) for n in sizes_up_to(members)},
        ),
        Panel(
            x_label=f"batch ({members:,} members)",
            measured={n: measure(replace(sizes, batch=n)) for n in sizes_up_to(batch)},
        ),
    ]


def measure(sizes: Sizes) -> list[Measurement]:
    """Measure weighted mean, vote and stacked forward pass, each beside a loop over members."""
    rng = np.random.default_rng(0)
    weights = MemberWeights(rng.random(sizes.members) + 0.5)
    return [_mean(sizes, weights, rng), _vote(sizes, weights, rng), _forward(sizes, rng)]


def _mean(sizes: Sizes, weights: MemberWeights, rng: np.random.Generator) -> Measurement:
    shape = (sizes.members, sizes.batch, sizes.actions)
    outputs = rng.random(shape, np.float32)
    shares = weights.shares_as(np.float32)

    def loop() -> object:
        return sum(output * share for output, share in zip(outputs, shares, strict=True))

    return Measurement(
        name="weighted mean",
        seconds=_best(sizes, lambda: weighted_mean(outputs, weights)),
        loop_seconds=_best(sizes, loop),
        n_bytes=outputs.nbytes,
    )


def _vote(sizes: Sizes, weights: MemberWeights, rng: np.random.Generator) -> Measurement:
    votes = rng.integers(sizes.actions, size=(sizes.members, sizes.batch))
    places = np.arange(sizes.batch)

    def loop() -> object:
        tally = np.zeros((sizes.batch, sizes.actions))
        for vote, share in zip(votes, weights.shares, strict=True):
            tally[places, vote] += share
        return tally.argmax(axis=-1)

    return Measurement(
        name="weighted vote",
        seconds=_best(sizes, lambda: weighted_vote(votes, weights, sizes.actions)),
        loop_seconds=_best(sizes, loop),
        n_bytes=votes.nbytes,
    )


def _forward(sizes: Sizes, rng: np.random.Generator) -> Measurement:
    members = [RandomNetwork(sizes.widths, rng) for _ in range(sizes.members)]
    observations = rng.random((sizes.batch, sizes.observation), np.float32)
    inference = MemberInference(members)
    seconds = _best(sizes, lambda: inference.ask(Question.GREEDY, observations))
    weights_bytes = sum(
        array.nbytes for layer in members[0].layers for array in (layer.kernel, layer.bias)
    )
    return Measurement(
        name="forward pass" + ("" if inference.stacked else " (not stacked)"),
        seconds=seconds,
        loop_seconds=_best(sizes, lambda: [m.act_batch(observations) for m in members]),
        n_bytes=sizes.members * weights_bytes + observations.nbytes,
        products=sizes.members * sizes.batch * sum(n * m for n, m in pairwise(sizes.widths)),
    )


def _best(sizes: Sizes, call: Callable[[], object]) -> float:
    return seconds_of(call, repeats=sizes.repeats)


def table_of(measured: Sequence[Measurement], machine: MachineSpeed) -> Table:
    """Return the measurements beside the limits of the machine."""
    table = Table(box=None, pad_edge=False)
    table.add_column("what")
    for title in ("time", "loop / Optix", "GB/s", "of read", "GFLOP/s", "of peak"):
        table.add_column(title, justify="right", no_wrap=True)
    for one in measured:
        table.add_row(*_cells(one, machine))
    return table


def _cells(one: Measurement, machine: MachineSpeed) -> list[str]:
    read = one.n_bytes / one.seconds
    products = one.products / one.seconds
    cells: list[Any] = [_time(one.seconds), f"{one.loop_seconds / one.seconds:.1f}×"]
    cells += [f"{read / 1e9:.2f}", f"{read / machine.read_bytes_per_s:.0%}"]
    if one.products:
        cells += [f"{2 * products / 1e9:.1f}", f"{products / machine.products_per_s:.0%}"]
    else:
        cells += [_NOTHING, _NOTHING]
    return [one.name, *cells]


def _time(seconds: float) -> str:
    return f"{seconds * 1e6:,.1f} μs" if seconds < _MILLI else f"{seconds / _MILLI:,.2f} ms"
