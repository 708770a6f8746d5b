# SPDX-License-Identifier: MIT
"""``heam-sim trace``: make traces and look at them."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from heam_sim.datasets import generate, generate_from_recipe
from heam_sim.trace import LookupTrace

__all__ = ["trace"]


@click.group("trace")
def trace() -> None:
    """Make, import and describe lookup traces."""


@trace.command("generate")
@click.argument("dataset")
@click.argument("output", type=click.Path(path_type=Path))
@click.option("--samples", type=int, default=10_000, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--pooling", type=int, default=1, show_default=True, help="Lookups per bag.")
def generate_command(dataset: str, output: Path, samples: int, seed: int, pooling: int) -> None:
    """Generate a trace of the shape of DATASET and store it in OUTPUT.

    Example: heam-sim trace generate criteo-kaggle trace.h5 --samples 10000
    """
    generate(dataset, samples=samples, seed=seed, pooling=pooling).save(output)
    click.echo(f"wrote {output}")


@trace.command("make")
@click.argument("recipe", type=click.Path(path_type=Path))
@click.argument("output", type=click.Path(path_type=Path))
def make_command(recipe: Path, output: Path) -> None:
    """Make the trace of a RECIPE file and store it in OUTPUT.

    Example: heam-sim trace make traces/criteo-kaggle.toml trace.h5
    """
    generate_from_recipe(recipe).save(output)
    click.echo(f"wrote {output}")


@trace.command("info")
@click.argument("file", type=click.Path(path_type=Path))
def info(file: Path) -> None:
    """Describe the trace in FILE.

    Example: heam-sim trace info trace.h5
    """
    loaded = LookupTrace.load(file)
    console = Console()
    console.print(
        f"{loaded.samples:,} samples, {loaded.tables} tables, {loaded.lookups:,} lookups, hash "
        f"{loaded.content_hash}",
        highlight=False,
    )
    table = Table()
    for head in ("table", "rows", "lookups", "pooling", "distinct rows", "top row's share"):
        table.add_column(head, justify="right")
    for number, indices in enumerate(loaded.indices):
        _, counts = np.unique(indices, return_counts=True)
        top = counts.max() / counts.sum() if counts.size else 0.0
        pooling = indices.size / max(loaded.samples, 1)
        table.add_row(
            str(number),
            f"{loaded.cardinalities[number]:,}",
            f"{indices.size:,}",
            f"{pooling:.2f}",
            f"{counts.size:,}",
            f"{top:.3f}",
        )
    console.print(table)
