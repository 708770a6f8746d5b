# SPDX-License-Identifier: MIT
"""What commands print: tables for people, JSON for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from heam_sim.results.export import json_text

__all__ = ["json_option", "notes_console", "print_json", "rows_table"]

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON with all digits instead of tables."
)


def print_json(value: Any) -> None:
    """Print a value as JSON on the standard output; what is no finite number is null."""
    click.echo(json_text(value))


def notes_console(as_json: bool) -> Console:
    """Where progress and remarks go: the standard output belongs to the JSON, if that is wanted."""
    return Console(stderr=as_json)


def rows_table(
    rows: Sequence[Mapping[str, Any]],
    *,
    title: str = "",
    right: Sequence[str] = (),
    whole: Sequence[str] = (),
) -> Table:
    """Make a table of rows with the same keys.

    Parameters
    ----------
    rows
        Cells are shown as ``str`` has them.
    right
        Columns that stand right.
    whole
        Columns that are never wrapped: a name that is cut cannot be copied.
    """
    table = Table(title=title or None)
    for name in rows[0] if rows else ():
        table.add_column(
            str(name),
            no_wrap=name in whole,
            overflow="fold",
            justify="right" if name in right else "left",
        )
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    return table
