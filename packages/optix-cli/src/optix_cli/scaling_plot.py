"""Draws how the cost of an ensemble grows with its sizes, as an SVG: both axes logarithmic."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from optix_cli.measurement import Measurement
from optix_core.errors import ConfigurationError

_WIDTH, _HEIGHT = 960, 420
_PANEL_WIDTH, _PANEL_HEIGHT = 385, 270
_LEFT, _TOP, _GAP = 70, 60, 85
_COLOURS = ("#0072b2", "#d55e00", "#009e73")  # told apart by the colour-blind too
_UNITS = ((1e-9, "ns"), (1e-6, "μs"), (1e-3, "ms"), (1.0, "s"))
_STEP, _LEGEND_STEP = 4, 215


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """What was measured over one size, the others held."""

    x_label: str
    """What the size is."""
    measured: Mapping[int, Sequence[Measurement]]
    """By size, the same ways to combine at each."""


def check_plot_path(path: Path) -> None:
    """Refuse a file that cannot become an SVG, before minutes of measuring.

    Raises:
        ConfigurationError: for another ending, or a folder that does not exist.
    """
    if path.suffix.lower() != ".svg":
        raise ConfigurationError(f"--plot draws an SVG, got {path}; give a name that ends in .svg")
    if not path.absolute().parent.is_dir():
        raise ConfigurationError(f"--plot: there is no folder {path.parent}; make it first")


def sizes_up_to(largest: int) -> list[int]:
    """Powers of four below a size, and the size itself."""
    smaller: list[int] = []
    size = 1
    while size < largest:
        smaller.append(size)
        size *= _STEP
    return [*smaller, largest]


def scaling_svg(panels: Sequence[Panel], *, title: str) -> str:
    """Write a drawing of panels side by side, over one axis of time.

    Each way to combine members has a colour: Optix is drawn solid, a loop over members dashed.
    """
    seconds = [each for panel in panels for line in _lines(panel) for each in line.seconds]
    bottom, top = math.floor(math.log10(min(seconds))), math.ceil(math.log10(max(seconds)))
    decades = range(bottom, max(top, bottom + 1) + 1)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" font-size="12">'
    )
    parts = [
        head,
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        _text(_LEFT, 24, title, size=15),
        _text(_LEFT, 44, "time of one answer of all members"),
    ]
    for index, panel in enumerate(panels):
        left = _LEFT + index * (_PANEL_WIDTH + _GAP)
        parts += _panel_svg(panel, _Frame(left=left, sizes=tuple(panel.measured), decades=decades))
    # Of the largest: a single member is not stacked, and says so.
    parts += _legend_svg([one.name for one in list(panels[0].measured.values())[-1]])
    return "\n".join([*parts, "</svg>\n"])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    seconds: tuple[float, ...]
    colour: str
    is_loop: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """Where a panel lies, and what its axes span."""

    left: int
    sizes: tuple[int, ...]
    decades: range
    """Exponents of ten of seconds, from the bottom to the top."""

    def x(self, size: int) -> float:
        span = math.log(self.sizes[-1] / self.sizes[0]) or 1.0
        return self.left + _PANEL_WIDTH * math.log(size / self.sizes[0]) / span

    def y(self, seconds: float) -> float:
        share = (math.log10(seconds) - self.decades[0]) / (self.decades[-1] - self.decades[0])
        return _TOP + _PANEL_HEIGHT * (1 - share)


def _lines(panel: Panel) -> Iterator[_Line]:
    ways = zip(*panel.measured.values(), strict=True)
    for way, colour in zip(ways, _COLOURS, strict=False):
        yield _Line(seconds=tuple(one.seconds for one in way), colour=colour, is_loop=False)
        yield _Line(seconds=tuple(one.loop_seconds for one in way), colour=colour, is_loop=True)


def _panel_svg(panel: Panel, frame: _Frame) -> list[str]:
    right, floor = frame.left + _PANEL_WIDTH, _TOP + _PANEL_HEIGHT
    parts: list[str] = []
    for decade in frame.decades:
        height = frame.y(10.0**decade)
        parts.append(_stroke((frame.left, height), (right, height), "#dddddd"))
        parts.append(_text(frame.left - 8, height + 4, _time_label(decade), anchor="end"))
    for size in frame.sizes:
        parts.append(_stroke((frame.x(size), floor), (frame.x(size), floor + 5), "#333333"))
        parts.append(_text(frame.x(size), floor + 20, f"{size:,}", anchor="middle"))
    parts.append(_stroke((frame.left, floor), (right, floor), "#333333"))
    middle = frame.left + _PANEL_WIDTH / 2
    parts.append(_text(middle, floor + 40, panel.x_label, anchor="middle"))
    parts += [_line_svg(line, frame) for line in _lines(panel)]
    return parts


def _line_svg(line: _Line, frame: _Frame) -> str:
    points = [
        f"{frame.x(size):.1f},{frame.y(seconds):.1f}"
        for size, seconds in zip(frame.sizes, line.seconds, strict=True)
    ]
    dashes = ' stroke-dasharray="5 4"' if line.is_loop else ""
    return (
        f'<polyline points="{" ".join(points)}" fill="none" stroke="{line.colour}" '
        f'stroke-width="2"{dashes}/>'
    )


def _legend_svg(names: Sequence[str]) -> list[str]:
    parts: list[str] = []
    y = _HEIGHT - 18
    for index, (name, colour) in enumerate(zip(names, _COLOURS, strict=False)):
        x = _LEFT + index * _LEGEND_STEP
        parts += [_stroke((x, y), (x + 28, y), colour, width=2), _text(x + 36, y + 4, name)]
    x = _LEFT + len(names) * _LEGEND_STEP
    parts.append(_stroke((x, y), (x + 28, y), "#333333", width=2, dashes="5 4"))
    return [*parts, _text(x + 36, y + 4, "the same by a loop over members")]


def _time_label(decade: int) -> str:
    unit, name = next(
        (pair for pair in reversed(_UNITS) if 10.0**decade >= 0.999 * pair[0]), _UNITS[0]
    )
    return f"{10.0**decade / unit:g} {name}"


def _stroke(
    start: tuple[float, float],
    end: tuple[float, float],
    colour: str,
    *,
    width: int = 1,
    dashes: str = "",
) -> str:
    pattern = f' stroke-dasharray="{dashes}"' if dashes else ""
    return (
        f'<line x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}" '
        f'stroke="{colour}" stroke-width="{width}"{pattern}/>'
    )


def _text(x: float, y: float, text: str, *, size: int = 12, anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" '
        f'fill="#222222">{escape(text)}</text>'
    )
