# SPDX-License-Identifier: MIT
"""How fast lookup traces are generated, converted, written, read and measured, and how large their files are.

Processor time of one thread, median of the repetitions; a file is read while the system still has it in its
cache. The trace is one-hot in the shape of Criteo Kaggle unless the row says otherwise.

    python benchmarks/trace.py --lookups 10400000 --repeats 3 --output build/trace.md
"""

from __future__ import annotations

import argparse
import gzip
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

from heam_sim.analysis import fit_trace, stack_distances
from heam_sim.datasets import (
    ReadOptions,
    convert_dataset,
    generate,
    generate_fitted,
    generate_meta_like,
    generate_tables,
)
from heam_sim.trace import LookupTrace, TraceFile, TraceWriter

TABLES = 26
PIECE_SAMPLES = 1 << 15
DISTRIBUTIONS = ("zipf:1.05", "pareto:0.25", "hot-set:0.01:0.9", "stack:100:1.5:0.05")
SLOW = 1 << 20  # lookups of what is measured on fewer


def seconds(work: Callable[[], object], repeats: int) -> float:
    """Median processor time of some runs."""
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return median(taken)


def write(trace: LookupTrace, path: Path) -> None:
    """Write in pieces, as a reader of a dataset does."""
    with TraceWriter(path, tables=trace.tables, cardinalities=trace.cardinalities) as writer:
        for start in range(0, trace.samples, PIECE_SAMPLES):
            writer.append([rows[start : start + PIECE_SAMPLES] for rows in trace.indices])


def read_pieces(path: Path) -> None:
    """Read in pieces, as a simulation does."""
    with TraceFile(path) as stored:
        for _ in stored.chunks():
            pass


def generators(samples: int, repeats: int) -> dict[str, float]:
    """Million lookups per second of every generator."""
    found = {}
    for text in DISTRIBUTIONS:

        def make(text: str = text) -> object:
            return generate("criteo-kaggle", samples=samples, distribution=text)

        found[f"generate {text}"] = samples * TABLES / seconds(make, repeats) / 1e6
    bags = max(1, samples * TABLES // 214)
    taken = seconds(lambda: generate("mlperf-dlrm-v2", samples=bags), repeats)
    found["generate mlperf-dlrm-v2, 214 lookups a sample"] = bags * 214 / taken / 1e6
    bags = max(1, samples * TABLES // 640)
    found["generate rm1, 640 lookups a sample"] = (
        bags * 640 / seconds(lambda: generate("rm1", samples=bags), repeats) / 1e6
    )
    taken = seconds(lambda: generate_meta_like(2021), repeats)
    found["generate meta-2021"] = 16 * 65_536 * 16 / taken / 1e6
    recipe = fit_trace(generate_tables([10**6] * 4, samples=samples))
    found["generate from a fitted recipe"] = (
        samples * 4 / seconds(lambda: generate_fitted(recipe), repeats) / 1e6
    )
    return found


def files(samples: int, repeats: int) -> tuple[dict[str, float], float]:
    """Million lookups per second of writing and reading, and bytes per lookup."""
    trace = generate("criteo-kaggle", samples=samples)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.h5"
        found = {
            "write in pieces, hash included": trace.lookups
            / seconds(lambda: write(trace, path), repeats)
            / 1e6,
            "read whole, hash verified": trace.lookups
            / seconds(lambda: LookupTrace.load(path), repeats)
            / 1e6,
            "read in pieces": trace.lookups / seconds(lambda: read_pieces(path), repeats) / 1e6,
        }
        size = path.stat().st_size / trace.lookups
    items = np.concatenate(trace.indices)[:SLOW]
    found["exact stack distances"] = len(items) / seconds(lambda: stack_distances(items), repeats) / 1e6
    return found, size


def criteo_text(path: Path, rows: int) -> None:
    """Write rows in the form of Criteo's files: Zipf values in hex, the usual share of empty fields."""
    trace = generate("criteo-kaggle", samples=rows)
    rng = np.random.default_rng(0)
    sizes = (2, 100, 1000, 20, 10000, 500, 30, 40, 300, 4, 20, 5, 100)
    columns = [[str(value) for value in rng.integers(0, 2, rows)]]
    columns += [[str(value) for value in rng.integers(0, size, rows)] for size in sizes]
    for number, ids in enumerate(trace.indices):
        scattered = ids.astype(np.uint32) * np.uint32(2654435761)  # odd: one to one
        values = [f"{value:08x}" for value in scattered.tolist()]
        if number in (18, 19, 21, 24, 25):
            values = [
                "" if lost else value for lost, value in zip(rng.random(rows) < 0.44, values, strict=True)
            ]
        columns.append(values)
    with path.open("w", encoding="ascii", newline="\n") as stream:
        stream.writelines("\t".join(fields) + "\n" for fields in zip(*columns, strict=True))


def ratings_text(path: Path, rows: int) -> None:
    """Write rows in the form of MovieLens 25M: users one after the other, Zipf films."""
    films = generate_tables([59_047], samples=rows).indices[0]
    users = np.sort(np.random.default_rng(0).integers(1, 1 + rows // 150, rows))
    with path.open("w", encoding="ascii", newline="\n") as stream:
        stream.write("userId,movieId,rating,timestamp\n")
        stream.writelines(
            f"{user},{film},3.5,{1_100_000_000 + number}\n"
            for number, (user, film) in enumerate(zip(users.tolist(), films.tolist(), strict=True))
        )


def conversions(rows: int, repeats: int) -> dict[str, tuple[float, float]]:
    """Thousand rows and million lookups per second from text to a trace file, hash included."""
    found = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        output = folder / "trace.h5"
        criteo_text(folder / "train.txt", rows)
        ratings_text(folder / "ratings.csv", 4 * rows)
        (folder / "train.txt.gz").write_bytes(gzip.compress((folder / "train.txt").read_bytes(), 6))
        for label, dataset, file, options in (
            ("Criteo, dictionary", "criteo-kaggle", "train.txt", ReadOptions()),
            ("Criteo, hash", "criteo-kaggle", "train.txt", ReadOptions(ids="hash")),
            ("Criteo, dictionary, gzip", "criteo-kaggle", "train.txt.gz", ReadOptions()),
            ("MovieLens, histories", "movielens-25m", "ratings.csv", ReadOptions()),
            ("MovieLens, one-hot", "movielens-25m", "ratings.csv", ReadOptions(bags="one-hot")),
        ):
            source = folder / file
            report = convert_dataset(dataset, source, output, options)

            def convert(
                dataset: str = dataset,
                source: Path = source,
                output: Path = output,
                options: ReadOptions = options,
            ) -> object:
                return convert_dataset(dataset, source, output, options)

            taken = seconds(convert, repeats)
            found[label] = report.rows / taken / 1e3, report.lookups / taken / 1e6
    return found


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description="Speed of lookup traces.")
    parser.add_argument("--lookups", type=int, default=10_400_000, help="lookups of the trace")
    parser.add_argument("--repeats", type=int, default=3, help="repetitions; the table has medians")
    parser.add_argument("--output", type=Path, help="also write the table to this file")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the text to convert")
    options = parser.parse_args()
    samples = max(1, options.lookups // TABLES)
    rates = generators(samples, options.repeats)
    more, size = files(samples, options.repeats)
    converted = conversions(options.rows, options.repeats)
    rows = [f"| {name} | {rate:.1f} |" for name, rate in {**rates, **more}.items()]
    text = "\n".join(
        [
            f"{samples * TABLES:,} lookups, processor time of one thread, median of {options.repeats} runs "
            f"({platform.machine()}, {platform.system()}).",
            "",
            "| what | million lookups/s |",
            "|---|---:|",
            *rows,
            "",
            f"File: {size:.3f} bytes per lookup.",
            "",
            f"{options.rows:,} rows of Criteo's text, {4 * options.rows:,} of MovieLens's.",
            "",
            "| text to trace file | thousand rows/s | million lookups/s |",
            "|---|---:|---:|",
            *(f"| {name} | {rows:.0f} | {lookups:.1f} |" for name, (rows, lookups) in converted.items()),
        ]
    )
    print(text)
    if options.output is not None:
        options.output.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
