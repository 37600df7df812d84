"""The drawing of `optix bench ensemble --plot`: valid XML, everything where its numbers say."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from optix_cli.measurement import Measurement
from optix_cli.scaling_plot import Panel, check_plot_path, scaling_svg, sizes_up_to
from optix_core.errors import ConfigurationError

from .conftest import RunCommand

SVG = "{http://www.w3.org/2000/svg}"


def a_panel(seconds_by_size: dict[int, float]) -> Panel:
    """One way to combine, whose loop takes ten times as long."""
    return Panel(
        x_label="members & more",
        measured={
            size: [Measurement(name="mean <all>", seconds=s, loop_seconds=10 * s)]
            for size, s in seconds_by_size.items()
        },
    )


def lines_of(svg: str) -> list[list[tuple[float, float]]]:
    root = ET.fromstring(svg)  # noqa: S314 - our own
    return [
        [(float(x), float(y)) for x, y in (p.split(",") for p in line.attrib["points"].split())]
        for line in root.iter(f"{SVG}polyline")
    ]


def test_times_lie_on_a_logarithmic_axis() -> None:
    svg = scaling_svg([a_panel({1: 1e-5, 4: 1e-4, 16: 1e-3})], title="t")
    ours, loop = lines_of(svg)
    assert ours[1][0] - ours[0][0] == pytest.approx(ours[2][0] - ours[1][0], abs=0.11)
    decade = ours[0][1] - ours[1][1]
    assert decade > 0  # slower is higher
    assert ours[1][1] - ours[2][1] == pytest.approx(decade, abs=0.11)
    for (x, y), (loop_x, loop_y) in zip(ours, loop, strict=True):
        assert loop_x == x
        assert y - loop_y == pytest.approx(decade, abs=0.11)


def test_everything_lies_on_the_page() -> None:
    panels = [a_panel({1: 3e-8, 4: 2e-8}), a_panel({5: 7.0})]
    svg = scaling_svg(panels, title="a < b")
    root = ET.fromstring(svg)  # noqa: S314
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    for x, y in (point for line in lines_of(svg) for point in line):
        assert 0 <= x <= width
        assert 0 <= y <= height
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert {"a < b", "members & more", "mean <all>", "10 ns", "1 μs", "100 s"} <= set(texts)


def test_sizes_are_powers_of_four_and_the_size_asked_for() -> None:
    assert sizes_up_to(1) == [1]
    assert sizes_up_to(16) == [1, 4, 16]
    assert sizes_up_to(20) == [1, 4, 16, 20]


@pytest.mark.parametrize(
    ("name", "words"), [("plot.png", "ends in .svg"), ("nowhere/plot.svg", "there is no folder")]
)
def test_a_file_that_cannot_be_drawn_is_refused(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        check_plot_path(tmp_path / name)


def test_the_command_draws(optix: RunCommand, tmp_path: Path) -> None:
    sizes = ("--members", "4", "--batch", "2", "--actions", "2", "--observation", "2")
    plot = tmp_path / "plot.svg"
    done = optix(
        "bench", "ensemble", *sizes, "--hidden", "3", "--repeats", "1", "--plot", str(plot)
    )
    assert done.code == 0, done.err
    assert f"Drawn: {plot}" in done.out.replace("\n", "")
    assert len(lines_of(plot.read_text("utf-8"))) == 2 * 3 * 2  # panels, ways, with and without
