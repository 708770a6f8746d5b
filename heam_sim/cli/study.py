# SPDX-License-Identifier: MIT
"""``heam-sim reproduce``."""

from __future__ import annotations

import time
from pathlib import Path

import click
import pandas as pd
from rich.console import Console
from rich.table import Table

from heam_sim.cli.options import progress_bar
from heam_sim.experiments import read_design, reproduce, run_design
from heam_sim.experiments.reproduction import BAG_POOLING

__all__ = ["reproduce_command", "sweep_command"]


def _closing_table(summary: pd.DataFrame) -> Table:
    """One line per configuration; every number is a column of summary.csv."""
    main = summary[summary["variant"] == "default"]
    systems = list(dict.fromkeys(main["system"]))
    table = Table(
        title="Per sample: time, speed-up over host-dimm with the same embedding, energy, of ceiling"
    )
    table.add_column("scope, embedding, vector")
    for system in systems:
        table.add_column(system, justify="right")
    for (scope, embedding, size), part in main.groupby(["scope", "embedding", "vector_bytes"], sort=False):
        rows = part.set_index("system")
        cells = [
            f"{row['time_ns'] / row['samples']:.1f} ns\n{row['speedup_over_host_dimm']:.2f}x\n"
            f"{row['energy_per_sample_pJ'] / 1000:.0f} nJ\n{100 * row['achieved_fraction']:.0f} % of ceiling"
            for row in (rows.loc[system] for system in systems)
        ]
        table.add_row(f"{scope}, {embedding}, {size} B", *cells)
    return table


def _claims(console: Console, claims: pd.DataFrame) -> None:
    table = Table(title="Published headlines beside this run, scope 'sample' (all comparisons: claims.csv)")
    for name in ("published", "ours", "variant"):
        table.add_column(name)
    for name in ("geomean", "most"):
        table.add_column(name, justify="right")
    for _, row in claims[claims["scope"] == "sample"].iterrows():
        published = f"{str(row['paper']).partition(' ')[0]}: {row['quantity']} {row['published']}"
        ours = str(row["our_comparison"]).partition(",")[0]
        table.add_row(published, ours, str(row["variant"]), str(row["measured"]), str(row["most"]))
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
    with progress_bar(console) as bar:
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
        f"Scope 'sample' pools the one-hot lookups of all tables (as HEAM's own traces do); scope 'bag' "
        f"pools a multi-hot expansion of "
        f"{BAG_POOLING} lookups per table (assumed)."
    )
    console.print(
        f"{len(study.files)} files in {output} after {time.monotonic() - started:.0f} s.", highlight=False
    )


@click.command("sweep")
@click.argument("study", type=click.Path(path_type=Path))
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Folder for tables, results and finished points.  [default: the file's name without suffix]",
)
@click.option("--workers", type=int, default=2, show_default=True, help="Processes.")
@click.option("--check", is_flag=True, help="Check every command log: protocol and sums (slow).")
def sweep_command(study: Path, output: Path | None, workers: int, check: bool) -> None:
    """Simulate all points of STUDY, a TOML file with traces, a base, grids and single points.

    What is finished is kept: after an interruption the same command simulates only the rest. A point that
    cannot be is reported at the end and does not stop the others.

    Example: heam-sim sweep study.toml --output out/
    """
    console = Console()
    design = read_design(study)
    folder = study.with_suffix("") if output is None else output
    with progress_bar(console) as bar:
        task = bar.add_task("preparing traces", total=len(design.points))

        def show(done: int, total: int, failed: int, label: str) -> None:
            tail = f" ({failed} failed)" if failed else ""
            bar.update(task, completed=done, total=total, description=f"{label:<40}{tail}")

        found = run_design(design, folder, workers=workers, check=check, progress=show)
    for failure in found.failures:
        console.print(f"failed: {failure.point.label}: {failure.message}", highlight=False)
    counts = f"{len(found.results)} results ({found.reused} were there), {len(found.failures)} failures"
    console.print(f"{counts}, in {folder}.", highlight=False)
