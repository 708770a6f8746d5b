# SPDX-License-Identifier: MIT
"""``heam-sim reproduce`` and ``heam-sim sweep``."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from heam_sim.cli.completion import complete_study
from heam_sim.cli.options import progress_bar
from heam_sim.cli.output import json_option, notes_console, print_json
from heam_sim.experiments.shipped import shipped_studies
from heam_sim.results.export import records

if TYPE_CHECKING:
    import pandas as pd

    from heam_sim.experiments import Study

__all__ = ["reproduce_command", "sweep_command"]


def _closing_tables(study: Study) -> Iterator[Table]:
    """One table per trace: a line per system, a column per embedding and vector size."""
    from heam_sim.experiments import study_design
    from heam_sim.plotting.style import ordered_systems

    main = study.summary[study.summary["variant"] == "default"]
    main = main[main["embedding"].isin(("full", study_design().base["embedding"]))]
    for trace, part in main.groupby("trace", sort=False):
        table = Table(
            title=f"{trace}: speed-up over host-dimm with the same embedding (ns, nJ per sample), "
            f"{study.lookups[str(trace)]:,} lookups"
        )
        table.add_column("system")
        pairs = zip(part["embedding"], part["vector_bytes"], strict=True)
        columns = [(str(embedding), int(size)) for embedding, size in dict.fromkeys(pairs)]
        for embedding, size in columns:
            table.add_column(f"{embedding.removesuffix(':multiply')}\n{size} B", justify="right")
        for system in ordered_systems(part["system"]):
            cells = [_cell(part, system, *column) for column in columns]
            table.add_row(system, *cells)
        yield table


def _cell(part: pd.DataFrame, system: str, embedding: str, size: int) -> str:
    same = (part["system"] == system) & (part["embedding"] == embedding) & (part["vector_bytes"] == size)
    if not same.any():
        return ""
    row = part[same].iloc[0]
    time_ns, energy_nJ = row["time_ns"] / row["samples"], row["energy_per_sample_pJ"] / 1000
    return f"{row['speedup_over_host_dimm']:.2f}x\n{time_ns:,.0f}, {energy_nJ:,.0f}"


def _claims(claims: pd.DataFrame) -> Table:
    """The headlines that were measured, in few words; the rest of the row is in claims.csv."""
    table = Table(title="Published headlines beside this run (assumptions and reasons: claims.csv)")
    for name in ("published", "ours", "trace, variant"):
        table.add_column(name)
    for name in ("geomean", "most", "closest under any assumption"):
        table.add_column(name, justify="right")
    for _, row in claims[claims["measured"] != "not measured"].iterrows():
        published = f"{str(row['paper']).partition(' ')[0]}: {row['quantity']} {row['published']}"
        ours = str(row["our_comparison"]).replace(" with the same embedding", "")
        where = f"{row['trace']}, {row['variant']}"
        table.add_row(
            published, ours, where, str(row["measured"]), str(row["most"]), str(row["closest"]).split(" (")[0]
        )
    return table


@click.command("reproduce")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("results"),
    show_default=True,
    help="Folder for tables, figures and finished points.",
)
@click.option(
    "--dataset",
    default="criteo-kaggle",
    show_default=True,
    help="Shape of the generated trace, or format of --path.",
)
@click.option(
    "--path", type=click.Path(path_type=Path), help="Real dataset file instead of a generated trace."
)
@click.option(
    "--samples",
    type=int,
    help="One-hot samples; multi-hot traces have as many lookups.  "
    "[default: 10000, 1000 with --quick, 40000 with --full, all of a file]",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the generators.")
@click.option("--workers", type=int, default=2, show_default=True, help="Processes.")
@click.option("--quick", is_flag=True, help="A reduced set in half a minute.")
@click.option("--full", is_flag=True, help="Every factor, one at a time; less than an hour on two cores.")
@click.option(
    "--trials",
    type=int,
    help="Settings tried per system for best against best.  [default: 48 with --full, otherwise none]",
)
@click.option("--check", is_flag=True, help="Check every command log: protocol and sums (slow).")
@json_option
def reproduce_command(
    output: Path,
    dataset: str,
    path: Path | None,
    samples: int | None,
    seed: int,
    workers: int,
    quick: bool,
    full: bool,
    trials: int | None,
    check: bool,
    as_json: bool,
) -> None:
    """Run the study: all systems, memories, embeddings and vector sizes; tables and figures.

    The output folder gets results.h5, tables (CSV), figures (PDF, PNG) and claims.csv: published headlines
    beside what was measured. What is finished is kept there: after an interruption the same command simulates
    only the rest.

    Example: heam-sim reproduce --quick --output results/
    """
    from heam_sim.experiments import reproduce

    if quick and full:
        raise click.UsageError("--quick and --full: give one of them.")
    console = notes_console(as_json)
    started = time.monotonic()
    with progress_bar(console) as bar:
        task = bar.add_task("preparing traces", total=None)

        def show(done: int, total: int, failed: int, name: str) -> None:
            tail = f" ({failed} failed)" if failed else ""
            bar.update(task, completed=done, total=total, description=f"{name:<40}{tail}")

        study = reproduce(
            output,
            selection="quick" if quick else "full" if full else "default",
            dataset=dataset,
            path=path,
            samples=samples,
            seed=seed,
            trials=trials,
            workers=workers,
            check=check,
            progress=show,
        )
    if as_json:
        print_json({"summary": records(study.summary), "claims": records(study.claims)})
    else:
        for table in _closing_tables(study):
            console.print(table)
        console.print(_claims(study.claims))
    for failure in study.failures:
        console.print(f"failed: {failure}", highlight=False)
    console.print(
        f"{len(study.points)} points ({study.reused} were there), {len(study.failures)} failures; "
        f"{len(study.files)} files in {output} after {time.monotonic() - started:.0f} s.",
        highlight=False,
    )
    if study.failures:
        click.get_current_context().exit(1)


_SWEEP_HELP = """Simulate all points of STUDY, a TOML file with traces, a base, grids and single points.

What is finished is kept: after an interruption the same command simulates only the rest. A point that
cannot be is reported at the end and does not stop the others.

STUDY may also be the name of one that comes with heam-sim (a file of that name goes first):
{studies}.

Example: heam-sim sweep study.toml --output out/

Example: heam-sim sweep graph --output graph/
"""


@click.command("sweep", help=_SWEEP_HELP.format(studies=", ".join(shipped_studies())))
@click.argument("study", type=click.Path(path_type=Path), shell_complete=complete_study)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Folder for results, tables and figures.  [default: the file's name without suffix]",
)
@click.option("--select", "selection", help="One of the file's selections.  [default: everything]")
@click.option("--workers", type=int, default=2, show_default=True, help="Processes.")
@click.option("--check", is_flag=True, help="Check every command log: protocol and sums (slow).")
def sweep_command(study: Path, output: Path | None, selection: str | None, workers: int, check: bool) -> None:
    """Run one study; the help text stands above."""
    from heam_sim.experiments import read_design, run_design

    console = Console()
    file = study if study.is_file() else shipped_studies().get(str(study), study)
    design = read_design(file, selection=selection)
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
    if found.figures:
        counts += f", {len(found.figures)} files of figures"
    console.print(f"{counts}, in {folder}.", highlight=False)
