# SPDX-License-Identifier: MIT
"""``heam-sim plot``: figures from stored results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from heam_sim.cli.completion import complete_figure
from heam_sim.errors import ConfigError
from heam_sim.results import write_table

__all__ = ["plot_command"]


class _Plot(click.Command):
    """A command whose help lists the figures."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list behind the options."""
        from heam_sim.experiments.figure_texts import FIGURE_TEXTS

        with formatter.section("Figures"):
            formatter.write_dl(list(FIGURE_TEXTS.items()))


@click.command("plot", cls=_Plot)
@click.argument("figure", shell_complete=complete_figure)
@click.argument("results", type=click.Path(path_type=Path))
@click.option(
    "--output", type=click.Path(path_type=Path), help="Path without suffix.  [default: beside RESULTS]"
)
@click.option("--columns", type=click.IntRange(1, 2), help="Width in columns of a two-column page.")
@click.option("--baseline", help="System whose speed is 1.")
@click.option("--statistic", help="Of latencies: mean, p50, p95 or p99.  [default: all]")
@click.option(
    "--only",
    multiple=True,
    metavar="COLUMN=VALUE",
    help="Use these rows only, e.g. scope=sample; repeatable.",
)
@click.option("--latex", is_flag=True, help="Also write the table as LaTeX (.tex).")
def plot_command(
    figure: str,
    results: Path,
    output: Path | None,
    only: tuple[str, ...],
    latex: bool,
    **options: Any,
) -> None:
    """Draw FIGURE from the results in RESULTS, and write PDF, PNG and the table behind it (CSV).

    RESULTS is the results.h5 of `reproduce`, `sweep`, `simulate` or `tune`; a summary.csv does for all
    figures but imbalance, roofline and time-parts; best takes a tuned.csv or the results.h5 of a search,
    waterfall also the CSV of `explain`. Nothing is simulated. Where a study has several traces, speedup
    and energy make one figure for each.

    Example: heam-sim plot speedup results/results.h5 --columns 1 --only scope=sample
    """
    from heam_sim.experiments.figures import draw, select
    from heam_sim.experiments.stored import load_material
    from heam_sim.plotting import save_figure

    material = select(load_material(results), _choices(only))
    wanted = {name: value for name, value in options.items() if value is not None}
    for name, (drawn, table) in draw(material, figure, **wanted).items():
        stem = results.with_name(name) if output is None else _stem(output, name.removeprefix(figure))
        written = list(save_figure(drawn, stem, table))
        if latex:
            written.append(stem.with_name(f"{stem.name}.tex"))
            write_table(written[-1], table)
        for path in written:
            click.echo(f"wrote {path}")


def _stem(output: Path, tail: str) -> Path:
    from heam_sim.plotting import figure_stem

    stem = figure_stem(output)
    return stem.with_name(f"{stem.name}{tail}")


def _choices(only: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for text in only:
        column, equals, value = text.partition("=")
        if not equals or not column or column in found:
            raise ConfigError(f"--only {text}: write COLUMN=VALUE, each column once.")
        found[column] = value
    return found
