"""Diagrams, drawn by matplotlib without a screen."""

import os
import os.path as osp
from typing import NamedTuple

from matplotlib.figure import Figure

_MANY = 50  # points, from which on a curve has no markers


class Panel(NamedTuple):
    """Curves over a common axis: {name: {x: y}}."""

    xlabel: str
    ylabel: str
    curves: dict[str, dict[float, float]]


def draw_curves(panels: list[Panel]) -> Figure:
    """Draw panels, one below the other."""
    figure = Figure(figsize=(6, 3 * len(panels)), layout='tight')
    rows = figure.subplots(len(panels), squeeze=False)[:, 0]
    for axes, (xlabel, ylabel, curves) in zip(rows, panels):
        for (name, curve), marker in zip(curves.items(), 'osD^v<>P*X' * 9):
            few = len(curve) <= _MANY
            axes.plot(
                *zip(*sorted(curve.items())),
                marker=marker if few else '',
                markersize=4,
                linewidth=1.5 if few else 1,
                label=name,
            )
        axes.set(xlabel=xlabel, ylabel=ylabel)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend()
    return figure


def save_figure(figure: Figure, path: str) -> None:
    """Write a figure, as the ending of the path says."""
    os.makedirs(osp.dirname(osp.abspath(path)), exist_ok=True)
    figure.savefig(path, dpi=150)
