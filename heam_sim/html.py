# SPDX-License-Identifier: MIT
"""Small HTML tables: how traces, systems and results show themselves in a notebook."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

__all__ = ["html_table"]


def html_table(caption: str, rows: Iterable[Sequence[str]], heads: Sequence[str] = ()) -> str:
    """Return a table as HTML, everything escaped; the first cell of every row is its name.

    Parameters
    ----------
    caption
        Stands above the table.
    rows
        Cells of each row.
    heads
        Names of the columns; none by default.
    """
    head = "".join(f"<th>{html.escape(name)}</th>" for name in heads)
    lines = [f"<table><caption>{html.escape(caption)}</caption>"]
    if head:
        lines.append(f"<thead><tr>{head}</tr></thead>")
    lines.append("<tbody>")
    for name, *cells in rows:
        data = "".join(f"<td>{html.escape(cell)}</td>" for cell in cells)
        lines.append(f"<tr><th>{html.escape(name)}</th>{data}</tr>")
    return "\n".join((*lines, "</tbody></table>"))
