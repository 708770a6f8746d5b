# SPDX-License-Identifier: MIT
"""Tables of a page: what a cell shows, what it sorts by, and which columns come first."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from heam_sim.results.export import heading

__all__ = ["Cell", "Column", "PageTable", "page_table", "shown"]

_DIGITS = 4
_WHOLE_FROM = 1000
_PHRASE, _PARAGRAPH = 18, 140
#: That have room on paper; the style sheet counts on it.
MOST_COLUMNS = 12


@dataclass(frozen=True)
class Cell:
    """One value.

    Attributes
    ----------
    text
        What is shown.
    value
        Of a number all its digits, for sorting and copying; None for text.
    """

    text: str
    value: str | None = None

    @property
    def room(self) -> str:
        """How much room its text needs: none told, ``"l"`` for a phrase, ``"p"`` for a paragraph."""
        if self.value is not None or len(self.text) <= _PHRASE:
            return ""
        return "l" if len(self.text) <= _PARAGRAPH else "p"


@dataclass(frozen=True)
class Column:
    """A column: its name as in CSV files, its head with the unit, and whether it is shown at first."""

    name: str
    head: str
    numeric: bool
    main: bool


@dataclass(frozen=True)
class PageTable:
    """A table of the page.

    Attributes
    ----------
    ident
        Names it in the page.
    caption
        Stands above it.
    columns, rows
        Columns that are shown at first come first.
    same
        What is the same in all rows, as pairs of head and value; these columns are left out.
    main
        Number of columns that are shown at first.
    """

    ident: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    same: tuple[tuple[str, str], ...] = ()

    @property
    def wordy(self) -> bool:
        """Whether some cell that is shown at first holds a paragraph: on a phone its rows are stacked."""
        return any(cell.room == "p" for row in self.rows for cell in row[: self.main])

    @property
    def main(self) -> int:
        """Columns that are shown at first; they come first."""
        return sum(column.main for column in self.columns)


def shown(value: Any) -> str:
    """Write a value for people: four digits, thousands apart, a dash for what is not there."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, bool) or (hasattr(value, "dtype") and value.dtype.kind == "b"):
        return "yes" if value else "no"
    if isinstance(value, numbers.Integral):
        return f"{int(value):,}"
    if isinstance(value, numbers.Real):
        number = float(value)
        if math.isinf(number):
            return "∞" if number > 0 else "−∞"
        return f"{number:,.0f}" if abs(number) >= _WHOLE_FROM else f"{number:.{_DIGITS}g}"
    return str(value)


def _cell(value: Any, numeric: bool) -> Cell:
    text = shown(value)
    if not numeric:
        return Cell("" if text == "–" else text)
    if text == "–":
        return Cell(text, "")
    return Cell(text, repr(int(value)) if isinstance(value, numbers.Integral) else repr(float(value)))


def _numeric(column: pd.Series) -> bool:
    if column.dtype.kind in "iuf":
        return True
    found = [value for value in column if value is not None and value != ""]
    return bool(found) and all(isinstance(one, numbers.Real) and not isinstance(one, bool) for one in found)


def page_table(
    frame: pd.DataFrame,
    *,
    ident: str,
    caption: str,
    main: Sequence[str] = (),
    heads: Mapping[str, str] | None = None,
    fold: bool = True,
) -> PageTable | None:
    """Make a table for the page.

    Parameters
    ----------
    frame
        The rows.
    ident, caption
        See :class:`PageTable`.
    main
        Columns that are shown at first, in this order; the others follow. If none is named, as many as have
        room on paper.
    heads
        Of columns that are not called after their names.
    fold
        Whether columns with one and the same value in all rows stand above the table instead.

    Returns
    -------
    PageTable
        None for a table without rows or columns.
    """
    if frame.empty:
        return None
    names = {str(name): heading(str(name)) for name in frame.columns} | dict(heads or {})
    first = [name for name in main if name in frame.columns][:MOST_COLUMNS]
    ordered = first + [name for name in frame.columns if name not in first]
    kept, same = [], []
    for name in ordered:
        values = {shown(value) for value in frame[name]}
        if values <= {"–", ""}:
            continue
        if fold and len(frame) > 1 and len(values) == 1:
            same.append((names[str(name)], values.pop()))
        else:
            kept.append(name)
    if not kept:
        kept, same = ordered, []
    wanted = [name for name in kept if name in first] or kept[:MOST_COLUMNS]
    columns = tuple(
        Column(str(name), names[str(name)], _numeric(frame[name]), name in wanted) for name in kept
    )
    cells = [
        [_cell(value, column.numeric) for value in frame[name]]
        for name, column in zip(kept, columns, strict=True)
    ]
    return PageTable(ident, caption, columns, tuple(zip(*cells, strict=True)), tuple(same))
