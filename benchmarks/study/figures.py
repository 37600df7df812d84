"""The figures of the study."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.aggregates import iqm
from benchmarks.study.plans import STARTS
from benchmarks.study.scores import curve, final
from benchmarks.study.tables import Results

plt: Any = import_module("matplotlib.pyplot")
"""Without its annotations, which leave most keyword arguments unknown."""

SHARES = np.linspace(0.0, 1.0, 61)[1:]
DRAWN: Mapping[str, Mapping[str, Any]] = {
    "default": {"color": "#c1272d", "linewidth": 2.4, "zorder": 3},
    "population": {"color": "#c1272d", "linewidth": 1.6, "linestyle": "--"},
    "fixed": {"color": "#333333", "linewidth": 2.4},
    "random-search": {"color": "#1f77b4", "linewidth": 1.2},
    "optuna": {"color": "#17a2b8", "linewidth": 1.2, "linestyle": "--"},
    "0.6.1-backoff": {"color": "#2ca02c", "linewidth": 1.2},
    "1.17.9-backoff": {"color": "#9467bd", "linewidth": 1.2},
}
"""The conditions that are drawn, and how; the tables have all."""


def draw_curves(results: Results, path: Path) -> None:
    """Draw the incumbents' interquartile mean over the budget, a panel a start."""
    starts = [start for start in STARTS if start in results.starts]
    figure, axes = plt.subplots(
        1, len(starts), figsize=(4 * len(starts), 3.6), sharey=True, squeeze=False
    )
    for start, panel in zip(starts, axes[0], strict=True):
        _panel(panel, start, "share of the budget")
        for condition in _drawn(results, start):
            curves = np.array(
                [np.interp(SHARES, _grid(c), c) for c in map(curve, results.runs(condition, start))]
            )
            middle = [iqm(column) for column in curves.T]
            panel.plot(SHARES, middle, label=condition, **DRAWN[condition])
    axes[0][0].set_ylabel("score of the incumbent, IQM")
    axes[0][-1].legend(fontsize=7, loc="lower right")
    _save(figure, path)


def draw_profiles(results: Results, path: Path) -> None:
    """Draw the share of runs whose final score exceeds each level, a panel a start."""
    starts = [start for start in STARTS if start in results.starts]
    figure, axes = plt.subplots(
        1, len(starts), figsize=(4 * len(starts), 3.6), sharey=True, squeeze=False
    )
    levels = np.linspace(0.0, 1.0, 101)
    for start, panel in zip(starts, axes[0], strict=True):
        _panel(panel, start, "normalised final score")
        for condition in _drawn(results, start):
            finals = np.array([final(run) for run in results.runs(condition, start)])
            share = [(finals >= level).mean() for level in levels]
            panel.plot(levels, share, label=condition, **DRAWN[condition])
    axes[0][0].set_ylabel("share of runs at least as good")
    axes[0][-1].legend(fontsize=7, loc="lower left")
    _save(figure, path)


def _grid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.arange(1, len(values) + 1) / len(values)


def _panel(panel: Any, start: str, x_label: str) -> None:
    panel.set_title(f"start: {start}", fontsize=10)
    panel.set_xlabel(x_label)
    panel.set_ylim(-0.02, 1.05)
    panel.grid(alpha=0.25)


def _drawn(results: Results, start: str) -> list[str]:
    return [condition for condition in DRAWN if condition in results.conditions(start)]


def _save(figure: Any, path: Path) -> None:
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)
