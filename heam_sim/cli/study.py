# SPDX-License-Identifier: MIT
"""``heam-sim reproduce``."""

from __future__ import annotations

import time
from pathlib import Path

import click
import pandas as pd
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from heam_sim.experiments import reproduce
from heam_sim.experiments.reproduction import BAG_POOLING

__all__ = ["reproduce_command"]


def _closing_table(summary: pd.DataFrame) -> Table:
    table = Table(title="Speed-up over host-dimm with the same embedding; energy per sample in nJ")
    for name in ("scope", "embedding", "vector", "system"):
        table.add_column(name)
    for name in ("ns/sample", "speed-up", "nJ/sample", "of ceiling"):
        table.add_column(name, justify="right")
    table.add_column("tightest ceiling")
    main = summary[summary["variant"] == "default"]
    for _, row in main.iterrows():
        table.add_row(
            str(row["scope"]),
            str(row["embedding"]),
            f"{row['vector_bytes']} B",
            str(row["system"]),
            f"{row['time_ns'] / row['samples']:.1f}",
            f"{row['speedup_over_host_dimm']:.2f}x",
            f"{row['energy_per_sample_pJ'] / 1000:.1f}",
            f"{100 * row['achieved_fraction']:.0f} %",
            str(row["bound"]),
        )
    return table


def _claims(console: Console, claims: pd.DataFrame) -> None:
    table = Table(title="Published headlines beside this run (claims.csv has all of them)")
    for name in ("paper", "published", "our comparison"):
        table.add_column(name)
    table.add_column("measured", justify="right")
    for _, row in claims[claims["our_comparison"] != ""].iterrows():
        if row["our_comparison"].endswith("default"):
            table.add_row(
                str(row["paper"]),
                f"{row['quantity']} {row['published']}",
                str(row["our_comparison"]),
                str(row["measured"]),
            )
    console.print(table)


@click.command("reproduce")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("results"),
    show_default=True,
    help="Folder for tables and figures.",
)
@click.option(
    "--dataset",
    default="criteo-kaggle",
    show_default=True,
    help="Shape of the generated trace, or format of PATH.",
)
@click.option(
    "--path", type=click.Path(path_type=Path), help="Real dataset file instead of a generated trace."
)
@click.option(
    "--samples", type=int, help="Samples.  [default: 10000 generated, 1000 with --quick, all of a file]"
)
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the generator.")
@click.option("--workers", type=int, default=2, show_default=True, help="Processes.")
@click.option("--quick", is_flag=True, help="A reduced set in half a minute.")
@click.option("--check", is_flag=True, help="Check every command log: protocol and sums (slow).")
def reproduce_command(
    output: Path,
    dataset: str,
    path: Path | None,
    samples: int | None,
    seed: int,
    workers: int,
    quick: bool,
    check: bool,
) -> None:
    """Run the study: all systems, embeddings and vector sizes; tables and figures.

    Example: heam-sim reproduce --quick --output results/
    """
    console = Console()
    started = time.monotonic()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("preparing traces", total=None)

        def show(done: int, total: int, name: str) -> None:
            bar.update(task, completed=done, total=total, description=f"{name:<30}")

        study = reproduce(
            output,
            dataset=dataset,
            path=path,
            samples=samples,
            seed=seed,
            quick=quick,
            workers=workers,
            check=check,
            progress=show,
        )
    console.print(_closing_table(study.summary))
    _claims(console, study.claims)
    console.print(
        f"Scope 'sample' pools the one-hot lookups of all tables (as HEAM's own traces do); scope 'bag' pools a multi-hot expansion of "
        f"{BAG_POOLING} lookups per table (assumed)."
    )
    console.print(
        f"{len(study.files)} files in {output} after {time.monotonic() - started:.0f} s.", highlight=False
    )
