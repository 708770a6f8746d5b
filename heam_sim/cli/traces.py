# SPDX-License-Identifier: MIT
"""``heam-sim trace``: make traces and look at them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from heam_sim.cli.convert import convert_command
from heam_sim.cli.exchange import export_command, from_fbgemm_command, from_requests_command
from heam_sim.cli.options import lookup_progress, parse_settings, whole_numbers
from heam_sim.cli.output import json_option, print_json
from heam_sim.datasets import (
    WORKLOADS,
    Shape,
    check_workload,
    custom_shape,
    dataset_info,
    generate_file,
    generate_fitted,
    generate_from_recipe,
    generate_meta_like,
    known_datasets,
    known_shapes,
    workload,
)
from heam_sim.datasets.generators import DEFAULT_EXPONENT
from heam_sim.datasets.meta_like import META_YEARS
from heam_sim.datasets.shapes import CUSTOM
from heam_sim.errors import ConfigError, unknown_name
from heam_sim.numbers import whole_number
from heam_sim.trace import LookupTrace, TraceFile, TraceWriter
from heam_sim.trace.facts import short_origin

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["trace"]

_OF_TRACE = ("content_hash", "samples", "lookups", "weighted", "provenance")
_META_NAMES = {f"meta-{year}": year for year in META_YEARS}
_PIECE_LOOKUPS = 1 << 22


@click.group("trace")
def trace() -> None:
    """Make, import and describe lookup traces.

    Example: heam-sim trace generate criteo-kaggle trace.h5 --samples 10000
    """


@trace.command("generate", short_help="Generate a trace of a dataset's shape.")
@click.argument("dataset")
@click.argument("output", type=click.Path(path_type=Path))
@click.option(
    "--samples", type=int, help="Samples to generate.  [default: 10000; of meta-YEAR 65536, of scan 32768]"
)
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the generator.")
@click.option("--rows", help="Rows of every table (1000,50,...), for DATASET custom.")
@click.option(
    "--pooling",
    help="Lookups per bag, one number or one per table (1,2,...).  [default: the model's own; of datasets 1]",
)
@click.option(
    "--distribution",
    help="zipf:EXPONENT, pareto:SHAPE, hot-set:ROWS:ACCESSES or stack:MEDIAN:SPREAD:NEW; one, or one per "
    f"table with commas.  [default: zipf:{DEFAULT_EXPONENT}]",
)
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="An option of graph or scan; several times."
)
def generate_command(
    dataset: str,
    output: Path,
    samples: int | None,
    seed: int,
    rows: str | None,
    pooling: str | None,
    distribution: str | None,
    settings: tuple[str, ...],
) -> None:
    """Generate a trace of the shape of DATASET and store it in OUTPUT.

    DATASET is a dataset or model (criteo-kaggle, mlperf-dlrm-v2, rm1, rm2, rm3), or meta-2021 or meta-2022:
    the reuse that Meta published, in 16 tables; or custom: tables with the --rows given. Or it is a workload
    beside recommendation, with its own options (docs/workloads.md): graph, bags of neighbours in a graph that
    is read (path) or generated (scale); scan, lists of product-quantised vectors.

    Example: heam-sim trace generate criteo-kaggle trace.h5 --samples 10000

    Example: heam-sim trace generate custom trace.h5 --rows 1000000,5000 --pooling 20,1 --distribution
    zipf:1.05,pareto:0.25

    Example: heam-sim trace generate graph trace.h5 --set scale=16 --set fan_out=[25,10] --set targets=1000
    """
    if dataset in WORKLOADS:
        if (rows, pooling, distribution) != (None, None, None):
            raise ConfigError(f"{dataset}: has no --rows, --pooling and --distribution; use --set.")
        _store(_workload(dataset, samples, seed, settings), output)
        click.echo(f"wrote {output}")
        return
    if settings:
        raise ConfigError(f"{dataset}: --set goes with {' and '.join(WORKLOADS)}, and only with them.")
    bags = whole_numbers("--pooling", pooling)
    if dataset in _META_NAMES:
        if rows is not None or isinstance(bags, list) or distribution is not None:
            raise ConfigError(
                f"{dataset}: has tables and bags that are all alike, and a reuse of its own; leave out "
                "--rows and --distribution, and give --pooling one number."
            )
        count = 65_536 if samples is None else samples
        _store(generate_meta_like(_META_NAMES[dataset], samples=count, pooling=bags, seed=seed), output)
    else:
        samples = 10_000 if samples is None else samples
        distribution = f"zipf:{DEFAULT_EXPONENT}" if distribution is None else distribution
        words = distribution.split(",")
        with lookup_progress(Console(stderr=True)) as bar:
            task = bar.add_task("generating", total=samples)
            generate_file(
                _shape(dataset, rows),
                output,
                samples=samples,
                seed=seed,
                pooling=bags,
                distribution=words if len(words) > 1 else distribution,
                progress=lambda done: bar.update(task, completed=done),
            )
    click.echo(f"wrote {output}")


def _workload(kind: str, samples: int | None, seed: int, settings: tuple[str, ...]) -> LookupTrace:
    options = parse_settings(settings)
    if samples is not None:
        options["samples"] = samples
    if "seed" in options:
        raise ConfigError("--set seed: is an option of its own; write --seed.")
    check_workload(kind, options)
    return workload(kind, seed=seed, **options)


def _shape(dataset: str, rows: str | None) -> str | Shape:
    if (dataset == CUSTOM) != (rows is not None):
        raise ConfigError(f"{dataset}: --rows goes with DATASET custom, and only with it.")
    if rows is None:
        if dataset not in (*known_shapes(), *known_datasets()):  # of a dataset without sizes more is known
            raise unknown_name("dataset", dataset, [*known_shapes(), *_META_NAMES, CUSTOM, *WORKLOADS])
        return dataset
    sizes = whole_numbers("--rows", rows)
    return custom_shape(sizes if isinstance(sizes, list) else [sizes])


def _store(made: LookupTrace, output: Path) -> None:
    """Write a trace, and say how far it is."""
    step = max(1, _PIECE_LOOKUPS * made.samples // max(1, made.lookups))
    with (
        lookup_progress(Console(stderr=True)) as bar,
        TraceWriter(
            output,
            tables=made.tables,
            cardinalities=made.cardinalities,
            provenance=made.provenance,
            weighted=made.weights is not None,
        ) as writer,
    ):
        task = bar.add_task("writing", total=made.samples)
        for start in range(0, made.samples, step):
            writer.append_trace(made.samples_slice(start, min(start + step, made.samples)))
            bar.update(task, completed=writer.samples)
        writer.finish(content_hash=made.content_hash)


@trace.command("make", short_help="Make the trace that a recipe file describes.")
@click.argument("recipe", type=click.Path(path_type=Path))
@click.argument("output", type=click.Path(path_type=Path))
def make_command(recipe: Path, output: Path) -> None:
    """Make the trace of a RECIPE file (.toml, or .json of `trace fit`) and store it in OUTPUT.

    The same recipe always gives the same trace; if it names a hash, the trace must have it.

    Example: heam-sim trace make traces/criteo-kaggle.toml trace.h5
    """
    _store(generate_from_recipe(recipe), output)
    click.echo(f"wrote {output}")


@trace.command("info", short_help="Describe a trace: footprint, pooling, skew, hash.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--vector-bytes", type=int, default=256, show_default=True, help="Bytes of a row, for the footprint."
)
@json_option
def info(file: Path, vector_bytes: int, as_json: bool) -> None:
    """Describe the trace in FILE: tables, samples, pooling, footprint, skew, hash.

    Example: heam-sim trace info trace.h5
    """
    from heam_sim.analysis import summarise

    with TraceFile(file) as stored:
        stored.verify()
        tables = summarise(stored)
        rows, used = (sum(getattr(one, name) for one in tables) for name in ("rows", "distinct"))
        if as_json:
            whole = {name: getattr(stored, name) for name in _OF_TRACE}
            size = {"rows": rows, "used_rows": used, "vector_bytes": vector_bytes}
            print_json({**whole, **size, "tables": [asdict(one) for one in tables]})
            return
        console = Console()
        for line in (
            f"{stored.samples:,} samples, {stored.tables} tables, {stored.lookups:,} lookups, hash "
            f"{stored.content_hash}",
            f"{rows:,} rows ({rows * vector_bytes / 1e9:,.3f} GB of {vector_bytes} B), of which {used:,} are "
            f"used ({used * vector_bytes / 1e9:,.3f} GB)",
            f"{'weighted; ' if stored.weighted else ''}provenance: {short_origin(stored.provenance)}",
        ):
            console.print(line, highlight=False, markup=False, soft_wrap=True)
    table = Table()
    for head in ("table", "rows", "lookups", "pooling", "used rows", "top row", "top 1 % of used"):
        table.add_column(head, justify="right")
    for number, one in enumerate(tables):
        spread = "" if one.bag_min == one.bag_max else f" ({one.bag_min}-{one.bag_max})"
        table.add_row(
            str(number),
            f"{one.rows:,}",
            f"{one.lookups:,}",
            f"{one.bag_mean:.2f}{spread}",
            f"{one.distinct:,}",
            f"{one.top_share:.3f}",
            f"{one.top_percent_share:.3f}",
        )
    console.print(table)


@trace.command("plot", short_help="Plot accesses, reuse and cache hits.")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--collisions",
    type=int,
    multiple=True,
    default=(2, 4, 8),
    show_default=True,
    help="Rows of a table per row of Q (QR tables); repeatable.",
)
@click.option(
    "--vector-bytes", type=int, default=64, show_default=True, help="Bytes of a row, for the cache."
)
@click.option(
    "--published/--no-published",
    default=None,
    help="Show the HEAM authors' hit shares.  [default: for 100,000 samples of Criteo Kaggle's tables]",
)
def plot_command(
    file: Path, folder: Path, collisions: tuple[int, ...], vector_bytes: int, published: bool | None
) -> None:
    """Plot the trace in FILE into FOLDER: access, reuse and cache (.pdf, .png and the table .csv each).

    Example: heam-sim trace plot trace.h5 figures
    """
    import pandas as pd

    from heam_sim import analysis, plotting

    for divisor in collisions:
        whole_number("--collisions", divisor, minimum=2)
    with TraceFile(file) as stored:
        if not stored.lookups:
            raise ConfigError(f"{file}: has no lookups to plot; give a trace with some.")
        curves, shares = analysis.access_curves(stored, collisions), analysis.r_row_shares(stored, collisions)
        _save(plotting.access_figure(curves, shares), folder / "access", pd.concat([curves, shares]))
        reuse, stack = analysis.reuse_histogram(stored), analysis.stack_histogram(stored)
        measured = int(stack["lookups"].iloc[0])
        note = "" if measured == stored.lookups else f"first {measured:,} lookups"
        _save(plotting.reuse_figure(reuse, stack, note=note), folder / "reuse", pd.concat([reuse, stack]))
        sizes = analysis.hit_shares(stored, vector_bytes=vector_bytes)
        blocks = analysis.hit_shares(
            stored,
            cache_bytes=(1 << 20,),
            block_bytes=tuple(analysis.PUBLISHED_BLOCKS),
            vector_bytes=vector_bytes,
        )
        theirs = analysis.published_hits()
        if not (_is_the_published_case(stored) if published is None else published):
            theirs = theirs[:0]
        title = (
            f"4-way LRU, c = 8, {vector_bytes} B rows, {int(sizes['accesses'].iloc[0]):,} accesses; left: "
            "64 B blocks, right: 1 MiB"
        )
        _save(
            plotting.cache_figure(sizes, blocks, theirs, note=title),
            folder / "cache",
            pd.concat([sizes, blocks, theirs]),
        )


def _is_the_published_case(stored: TraceFile) -> bool:
    """Whether the trace has the tables and the length of the one that the published hit shares belong to."""
    from heam_sim.analysis import CACHE_LOOKUPS

    alike = tuple(stored.cardinalities.tolist()) == dataset_info("criteo-kaggle").cardinalities
    return alike and stored.lookups >= CACHE_LOOKUPS


@trace.command("fit", short_help="Measure a trace and write a recipe for traces like it.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--output", type=click.Path(path_type=Path), required=True, help="The recipe (.json).")
@click.option(
    "--seed", type=int, default=1, show_default=True, help="Seed of the traces made from the recipe."
)
@click.option("--plot", type=click.Path(path_type=Path), help="Also plot both traces (path without suffix).")
def fit_command(file: Path, output: Path, seed: int, plot: Path | None) -> None:
    """Measure the trace in FILE and write a recipe for traces like it; say how well they match.

    Example: heam-sim trace fit real.h5 --output recipe.json --plot fit
    """
    import pandas as pd

    from heam_sim import analysis, plotting

    with TraceFile(file) as stored:
        found = analysis.fit_trace(stored, seed=seed)
        made = generate_fitted(found)
        quality = analysis.compare_traces(stored, made)
        worst = {
            name: max(getattr(one, name) for one in quality) for name in ("popularity", "reuse", "stack")
        }
        analysis.write_recipe(found, output)
        click.echo(f"wrote {output}")
        click.echo(
            "Kolmogorov-Smirnov distance, worst table: "
            f"popularity {worst['popularity']:.4f}, reuse {worst['reuse']:.4f}, "
            f"stack distance {worst['stack']:.4f} (order in time is not imitated)"
        )
        pairs = found["measured"]["co_occurrence"]
        click.echo(
            f"the 1,000 most frequent pairs of rows take {pairs['pair_share']:.4f} of all pairs, "
            f"{pairs['independent_pair_share']:.4f} without correlation (which is not imitated)"
        )
        if plot is not None:
            sides: list[tuple[LookupTrace | TraceFile, str]] = [
                (stored, "measured"),
                (made, "generated from the recipe"),
            ]
            curves = pd.concat([analysis.access_curve_of(side, label) for side, label in sides])
            reuse = pd.concat([analysis.reuse_curve(side, label) for side, label in sides])
            note = f"largest difference: popularity {worst['popularity']:.4f}, reuse {worst['reuse']:.4f}"
            _save(plotting.fit_figure(curves, reuse, note=note), plot, pd.concat([curves, reuse]))


def _save(figure: Figure, stem: Path, data: pd.DataFrame) -> None:
    from heam_sim.plotting import save_figure

    for path in save_figure(figure, stem, data):
        click.echo(f"wrote {path}")


for command in (convert_command, export_command, from_requests_command, from_fbgemm_command):
    trace.add_command(command)
trace.add_command(convert_command, "import")
