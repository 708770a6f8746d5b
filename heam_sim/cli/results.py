# SPDX-License-Identifier: MIT
"""``heam-sim results``: look at stored results, hold them against each other, put them together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

from heam_sim.cli.output import json_option, print_json, rows_table
from heam_sim.errors import ConfigError, unknown_name
from heam_sim.results import Result, ResultSet, diff_results, merge_results, write_table
from heam_sim.results.export import TABLE_ENDINGS, check_ending, records
from heam_sim.results.facts import result_facts, result_title, run_label

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["result_table", "results"]

DIFFERENT = 1
_FILE = click.Path(path_type=Path)


def result_table(result: Result) -> Table:
    """Everything that a reader looks for in one result."""
    table = Table(title=result_title(result), show_header=False)
    table.add_column("what")
    table.add_column("value", justify="right")
    table.add_column("unit")
    for row in result_facts(result):
        table.add_row(*row)
    return table


@click.group("results")
def results() -> None:
    """Stored results (results.h5): show, compare, merge, export.

    Example: heam-sim results show results/results.h5
    """


@results.command("show")
@click.argument("file", type=_FILE)
@click.option("--result", "number", type=int, help="Everything about one result, by its number in the list.")
@json_option
def show_command(file: Path, number: int | None, as_json: bool) -> None:
    """List the results in FILE, or show one of them in full.

    Example: heam-sim results show results/results.h5 --result 3
    """
    stored = ResultSet.load(file)
    if number is not None:
        if not 0 <= number < len(stored):
            raise ConfigError(f"--result {number}: {file} has {len(stored)} results, numbered from 0.")
        if as_json:
            print_json(stored[number].to_dict())
        else:
            Console().print(result_table(stored[number]))
        return
    if as_json:
        print_json({"provenance": stored.provenance, "results": records(stored.to_frame())})
        return
    rows = [_line(number, stored) for number in range(len(stored))]
    numbers = ("no.", "ns/sample", "nJ/sample")
    title = f"{len(stored)} results in {file}"
    Console().print(rows_table(rows, title=title, right=numbers, whole=numbers))


def _line(number: int, stored: ResultSet) -> dict[str, Any]:
    result, points = stored[number], stored.provenance.get("points")
    name = run_label(result)
    if isinstance(points, list) and len(points) == len(stored):
        # Of a study only trace and variant tell many of its results apart.
        name += "\n" + ", ".join(points[number])
    return {
        "no.": number,
        "run": name,
        "ns/sample": f"{result.time_per_sample_ns:,.1f}",
        "nJ/sample": f"{result.energy_per_sample_pJ / 1000:,.1f}",
        "time went to": result.bound_by,
    }


@results.command("diff", short_help="Name every statistic that differs, and by how much.")
@click.argument("first", type=_FILE)
@click.argument("second", type=_FILE)
@click.option(
    "--tolerance", type=float, default=0.0, show_default=True, help="Relative difference that is none."
)
@click.option("--show", type=int, default=60, show_default=True, help="Differences to print.")
@click.option("--output", type=_FILE, help=f"Write all differences ({', '.join(TABLE_ENDINGS)}).")
@json_option
def diff_command(
    first: Path, second: Path, tolerance: float, show: int, output: Path | None, as_json: bool
) -> None:
    """Name every statistic that differs between the results in FIRST and SECOND, and by how much.

    The status is 0 if they are the same, 1 if they differ.

    Example: heam-sim results diff before.h5 after.h5 --tolerance 1e-9
    """
    if output is not None:
        check_ending(output)
    found = diff_results(ResultSet.load(first), ResultSet.load(second), tolerance=tolerance)
    if output is not None:
        write_table(output, found)
    if as_json:
        print_json(records(found))
    elif found.empty:
        click.echo("no differences")
    else:
        _print_differences(found, show)
    if not found.empty:
        click.get_current_context().exit(DIFFERENT)


def _print_differences(found: pd.DataFrame, show: int) -> None:
    """A line per statistic: paths are long, and lines can be searched."""
    shown = found.head(max(show, 0))
    for label, part in shown.groupby("result", sort=False):
        click.echo(str(label))
        for row in part.to_dict("records"):
            click.echo(f"  {_difference(row)}")
    rest = len(found) - len(shown)
    tail = f"; {rest} more (--show, --output, --json)" if rest else ""
    click.echo(f"{len(found)} {'difference' if len(found) == 1 else 'differences'}{tail}")


def _difference(row: Mapping[Any, Any]) -> str:
    if not row["statistic"]:
        return "only in the first" if row["second"] is None else "only in the second"
    unit = f" {row['unit']}" if row["unit"] else ""
    text = f"{row['statistic']}: {_value(row['first'])} -> {_value(row['second'])}{unit}"
    if math.isnan(row["difference"]):
        return text
    share = f", {100 * row['relative']:+.3g} %" if math.isfinite(row["relative"]) else ""
    return f"{text} ({row['difference']:+,.6g}{share})"


def _value(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, float):
        return f"{value:,.6g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


@results.command("merge", short_help="Put the results of several files into one.")
@click.argument("files", type=_FILE, nargs=-1, required=True)
@click.option("--output", type=_FILE, required=True, help="Where all of them go (.h5).")
def merge_command(files: tuple[Path, ...], output: Path) -> None:
    """Put the results in FILES... into one file; a run that several of them have is kept once.

    Parts of one study stay a study. Two different results of the same run are an error.

    Example: heam-sim results merge first/results.h5 second/results.h5 --output all.h5
    """
    merged = merge_results({str(file): ResultSet.load(file) for file in files})
    merged.save(output)
    click.echo(f"wrote {output} with {len(merged)} results")


@results.command("export", short_help="Write results as CSV, Parquet, JSON or LaTeX.")
@click.argument("file", type=_FILE)
@click.argument("output", type=_FILE)
@click.option("--columns", help="Only these columns, in this order, with commas between.")
def export_command(file: Path, output: Path, columns: str | None) -> None:
    """Write the results in FILE as OUTPUT: .csv, .parquet, .tex (a row per result), .json (everything), .h5.

    Example: heam-sim results export results.h5 table.tex --columns system,embedding,time_ns,energy_pJ
    """
    stored = ResultSet.load(file)
    if columns is None:
        stored.write(output)
    else:
        write_table(output, _chosen(stored.to_frame(), columns))
    click.echo(f"wrote {output}")


def _chosen(frame: pd.DataFrame, columns: str) -> pd.DataFrame:
    """The columns of a list with commas, in its order."""
    names = [name.strip() for name in columns.split(",")]
    for name in names:
        if name not in frame.columns:
            raise unknown_name("column", name, frame.columns, where="--columns")
    return frame[names]
