# SPDX-License-Identifier: MIT
"""``heam-sim report``: stored results as one page."""

from __future__ import annotations

from pathlib import Path

import click

from heam_sim.results import ResultSet

__all__ = ["report_command"]


@click.command("report")
@click.argument("results", type=click.Path(path_type=Path))
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="The page to write.  [default: report.html beside RESULTS]",
)
@click.option("--title", help="Heading of the page.  [default: what the results are]")
def report_command(results: Path, output: Path | None, title: str | None) -> None:
    """Write one HTML page that holds everything a reader of RESULTS asks for, and needs no network.

    RESULTS is the results.h5 of `reproduce`, `sweep`, `simulate --output` or `tune`. The page has claims,
    figures, tables to sort and filter, the configuration, its sources and assumptions, and how to run it
    again. Nothing is simulated.

    Example: heam-sim report results/results.h5 --output report.html
    """
    from heam_sim.report import write_report

    page = results.with_name("report.html") if output is None else output
    write_report(ResultSet.load(results), page, title=title)
    click.echo(f"wrote {page} ({page.stat().st_size / 1e6:.1f} MB)")
