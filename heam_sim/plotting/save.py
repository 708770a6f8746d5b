# SPDX-License-Identifier: MIT
"""Figures into files, each with the numbers that it shows."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from heam_sim.plotting.style import figure_style
from heam_sim.results.atomic import write_atomically

__all__ = ["figure_stem", "save_figure"]

_ENDINGS = ("pdf", "png", "csv")


def figure_stem(path: str | Path) -> Path:
    """A figure's path without the ending of one of its files: ``fig.png`` is ``fig``; ``fig.1`` stays.

    Parameters
    ----------
    path
        Where a figure shall go, with or without ``.pdf``, ``.png`` or ``.csv``.

    Returns
    -------
    Path
        Without the ending.
    """
    path = Path(path)
    return path.with_suffix("") if path.suffix[1:] in _ENDINGS else path


def save_figure(figure: Figure, stem: str | Path, data: pd.DataFrame) -> tuple[Path, Path, Path]:
    """Write a figure as PDF and as PNG (300 dpi), and the table behind it as CSV.

    Parameters
    ----------
    figure
        The figure; its size is kept (no cropping), so text has its nominal size on the page.
    stem
        Path, e.g. ``results/speedup``; the ending of one of the three files is left out.
    data
        The numbers that the figure shows.

    Returns
    -------
    tuple of pathlib.Path
        PDF, PNG and CSV. Each is written to a temporary name and renamed.

    Raises
    ------
    heam_sim.errors.OutputError
        The folder cannot be written.
    """
    base = figure_stem(stem)
    pdf, png, csv = (base.with_name(f"{base.name}.{ending}") for ending in _ENDINGS)
    with figure_style():
        # Without dates the same figure gives the same bytes.
        write_atomically(
            pdf, lambda part: figure.savefig(part, format="pdf", metadata={"CreationDate": None})
        )
        write_atomically(png, lambda part: figure.savefig(part, format="png", dpi=300))
    write_atomically(csv, lambda part: data.to_csv(part, index=False, lineterminator="\n"))
    return pdf, png, csv
