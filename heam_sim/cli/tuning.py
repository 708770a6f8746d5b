# SPDX-License-Identifier: MIT
"""``heam-sim tune``."""

from __future__ import annotations

from pathlib import Path

import click
from rich.table import Table

from heam_sim.cli.completion import complete_system
from heam_sim.cli.options import (
    parse_overrides,
    progress_bar,
    simulation_options,
    trace_options,
    wanted_trace,
)
from heam_sim.cli.output import json_option, notes_console, print_json
from heam_sim.experiments.tune import GOALS, LOOKUPS, TRIALS, Tuned, tune
from heam_sim.results.export import records
from heam_sim.systems import known_systems

__all__ = ["tune_command"]


@click.command("tune")
@click.argument("system", nargs=-1, shell_complete=complete_system)
@trace_options
@simulation_options
@click.option(
    "--goal",
    type=click.Choice(GOALS),
    default="time",
    show_default=True,
    help="What is made small, per sample.",
)
@click.option("--trials", type=int, default=TRIALS, show_default=True, help="Settings tried per system.")
@click.option("--lookups", type=int, default=LOOKUPS, show_default=True, help="Timed lookups of a trial.")
@click.option("--search-seed", type=int, default=1, show_default=True, help="Seed of the sampler.")
@click.option("--workers", type=int, default=2, show_default=True, help="Processes.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("tuned"),
    show_default=True,
    help="Folder for tables, results and the trials, which are kept.",
)
@json_option
def tune_command(
    system: tuple[str, ...],
    trace_file: Path | None,
    dataset: str,
    path: Path | None,
    samples: int | None,
    seed: int,
    pooling: int | None,
    embedding: str,
    vector_bytes: int,
    scope: str,
    profile: float,
    settings: tuple[str, ...],
    goal: str,
    trials: int,
    lookups: int,
    search_seed: int,
    workers: int,
    output: Path,
    as_json: bool,
) -> None:
    """Search the best settings of SYSTEM... (default: all) with one and the same budget.

    The published settings are the first trial, so the best is never worse on the trials' part of the trace.
    What is finished is kept. Needs the extra heam-sim[tune].

    Example: heam-sim tune heam host-dimm --embedding qr:4 --vector-bytes 128 --scope sample
    """
    from heam_sim.experiments.best import write_best

    trace = wanted_trace(trace_file, dataset, path, samples, seed, pooling)
    console = notes_console(as_json)
    found: list[Tuned] = []
    names = system or known_systems()
    with progress_bar(console) as bar:
        for name in names:
            task = bar.add_task(name, total=trials)

            def show(done: int, total: int, failed: int, label: str, task: object = task) -> None:
                tail = f", {failed} cannot be" if failed else ""
                bar.update(task, completed=done, description=label + tail)  # type: ignore[arg-type]

            found.append(
                tune(
                    name,
                    trace,
                    folder=output,
                    embedding=embedding,
                    vector_bytes=vector_bytes,
                    scope=scope,  # type: ignore[arg-type]  # click has checked the choice
                    profile=profile,
                    overrides=parse_overrides(settings),
                    goal=goal,
                    trials=trials,
                    lookups=lookups,
                    seed=search_seed,
                    workers=workers,
                    progress=show,
                )
            )
    table = write_best(output, found)
    if as_json:
        print_json(records(table))
    else:
        console.print(_shown(found, goal))
    console.print(f"Tables and results in {output}.", highlight=False)


def _shown(found: list[Tuned], goal: str) -> Table:
    table = Table(title=f"Published settings and the best found for {goal}, per sample on the whole trace")
    for head in ("system", "what the best changes"):
        table.add_column(head)
    for head in ("published", "best", "gain"):
        table.add_column(head, justify="right")
    for one in found:
        changes = "\n".join(f"{key} = {value}" for key, value in one.overrides.items()) or "nothing"
        ends = [
            f"{result.time_ns / result.samples:,.1f} ns\n{result.energy_per_sample_pJ / 1000:,.0f} nJ"
            for result in (one.published, one.best)
        ]
        table.add_row(one.system, changes, *ends, f"{one.gain:.2f}x")
    return table
