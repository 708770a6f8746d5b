# SPDX-License-Identifier: MIT
"""``heam-sim trace convert``: the files of a dataset become trace files."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from heam_sim.cli.options import whole_numbers
from heam_sim.datasets import ReadOptions, convert_dataset, shape_info
from heam_sim.datasets.pipeline import Watch
from heam_sim.errors import ConfigError

__all__ = ["convert_command"]

_DEFAULTS = ReadOptions()


@click.command("convert", short_help="Read the files of a dataset into a trace.")
@click.argument("dataset")
@click.argument("path", type=click.Path(path_type=Path))
@click.argument("output", type=click.Path(path_type=Path))
@click.option("--samples", type=int, help="Stop after so many samples (rows, or users with histories).")
@click.option("--rows", help="FIRST:END, the rows to read, from 0; an empty END reads to the last.")
@click.option("--share", type=float, default=1.0, show_default=True, help="Keep this share of rows or users.")
@click.option("--seed", type=int, default=1, show_default=True, help="For --share and --multi-hot.")
@click.option(
    "--ids",
    default=_DEFAULTS.ids,
    show_default=True,
    help="Rows by order of first appearance (dictionary), modulo (hash) or as published.",
)
@click.option(
    "--hash-rows", help="Rows of the tables for --ids hash: one number, or one per table (1,2,...)."
)
@click.option(
    "--max-distinct",
    type=int,
    default=_DEFAULTS.max_distinct,
    show_default=True,
    help="Distinct values that the dictionaries may hold.",
)
@click.option(
    "--cardinalities",
    default="auto",
    show_default=True,
    help="Sizes of tables: of the whole dataset (published), or of what is read (observed).",
)
@click.option(
    "--bags",
    default="auto",
    show_default=True,
    help="A sample per user with all items (history), or per row (one-hot).",
)
@click.option(
    "--max-history",
    type=int,
    default=_DEFAULTS.max_history,
    show_default=True,
    help="Latest items of a user to keep.",
)
@click.option("--multi-hot", help="Lookups per bag made from one-hot rows: one number, or one per table.")
@click.option("--shape", help="Hash into the tables and make the bags of this model, e.g. mlperf-dlrm-v2.")
@click.option(
    "--on-error",
    default="raise",
    show_default=True,
    help="At a malformed row: raise an error, or skip and count it.",
)
@click.option("--column", "columns", multiple=True, help="TABLE=COLUMN, for csv and parquet; repeatable.")
@click.option("--user", help="Table of users, whose rows become histories (csv and parquet).")
@click.option("--time", "time_column", help="Column that orders a history (csv and parquet).")
@click.option(
    "--split", help="Parts by samples, e.g. train=1000000,profile=100000,simulate=rest; a file each."
)
def convert_command(
    dataset: str,
    path: Path,
    output: Path,
    *,
    rows: str | None,
    hash_rows: str | None,
    multi_hot: str | None,
    columns: tuple[str, ...],
    time_column: str | None,
    split: str | None,
    shape: str | None,
    **plain: Any,
) -> None:
    """Read the files in PATH (a file or a folder) as DATASET into the trace file OUTPUT.

    Nothing is held in memory but dictionaries of distinct values; --ids hash needs none. DATASET is one of
    criteo-kaggle, criteo-terabyte, avazu, movielens-100k, -1m, -20m, -25m, -latest, taobao, amazon,
    meta-dlrm, csv, parquet, npz and edges (a graph: the sources of the edges into a vertex are its bag).

    Example: heam-sim trace convert criteo-kaggle train.txt trace.h5
    """
    hashed: int | Sequence[int] | None = whole_numbers("--hash-rows", hash_rows)
    bags: int | Sequence[int] | None = whole_numbers("--multi-hot", multi_hot)
    if shape is not None:
        if hashed is not None or bags is not None:
            raise ConfigError("--shape already says --hash-rows and --multi-hot; leave them out.")
        wanted = shape_info(shape)
        hashed, bags, plain["ids"] = wanted.cardinalities, wanted.pooling, "hash"
    options = ReadOptions(
        rows=_rows(rows),
        hash_rows=hashed,
        multi_hot=bags,
        columns=_columns(columns),
        time=time_column,
        **plain,
    )
    console = Console(stderr=True)
    with _progress(console) as bar:
        report = convert_dataset(
            dataset, path, output, options, split=_split(split), watch=_watch(bar, path.name)
        )
    if report.skipped:
        click.echo(f"skipped {report.skipped:,} malformed rows or rests of files, of which:", err=True)
        for message in report.messages:
            click.echo(f"  {message}", err=True)
    for file in report.files:
        click.echo(f"wrote {file}")
    click.echo(f"{report.samples:,} samples, {report.lookups:,} lookups from {report.rows:,} rows")


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rows]:,} rows"),
        TextColumn("{task.fields[rate]:,.0f} rows/s"),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,  # in a log a bar is only noise around the message
    )


def _watch(bar: Progress, name: str) -> Watch:
    task = bar.add_task(name, total=None, rows=0, rate=0.0)
    start = time.monotonic()

    def watch(done: int, total: int, rows: int) -> None:
        seconds = time.monotonic() - start
        bar.update(task, completed=done, total=total, rows=rows, rate=rows / seconds if seconds else 0.0)

    return watch


def _rows(text: str | None) -> tuple[int, int | None]:
    if text is None:
        return (0, None)
    first, colon, end = text.partition(":")
    try:
        if not colon:
            raise ValueError
        return (int(first or 0), int(end) if end else None)
    except ValueError:
        raise ConfigError(f"--rows {text}: write FIRST:END, for example 0:1000000.") from None


def _columns(pairs: tuple[str, ...]) -> dict[str, str] | None:
    found: dict[str, str] = {}
    for pair in pairs:
        table, equals, column = pair.partition("=")
        if not equals or not table or not column or table in found:
            raise ConfigError(f"--column {pair}: write TABLE=COLUMN, each table once.")
        found[table] = column
    return found or None


def _split(text: str | None) -> list[tuple[str, int | None]] | None:
    if text is None:
        return None
    parts: list[tuple[str, int | None]] = []
    for part in text.split(","):
        name, equals, count = part.partition("=")
        if not equals or not (count == "rest" or count.isdigit()):
            raise ConfigError(f"--split {text}: write NAME=SAMPLES,...; the last may be NAME=rest.")
        parts.append((name, None if count == "rest" else int(count)))
    return parts
