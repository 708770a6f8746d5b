# SPDX-License-Identifier: MIT
"""How fast lookup traces are generated, written, read and measured, and how large their files are.

Processor time of one thread, median of the repetitions; a file is read while the system still has it in its
cache. The trace is one-hot in the shape of Criteo Kaggle unless the row says otherwise.

    python benchmarks/trace.py --lookups 10400000 --repeats 3 --output build/trace.md
"""

from __future__ import annotations

import argparse
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

from heam_sim.analysis import fit_trace, stack_distances
from heam_sim.datasets import generate, generate_fitted, generate_meta_like, generate_tables
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
        count = SLOW // TABLES if text.startswith("stack") else samples

        def make(text: str = text, count: int = count) -> object:
            return generate("criteo-kaggle", samples=count, distribution=text)

        found[f"generate {text}"] = count * TABLES / seconds(make, repeats) / 1e6
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


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description="Speed of lookup traces.")
    parser.add_argument("--lookups", type=int, default=10_400_000, help="lookups of the trace")
    parser.add_argument("--repeats", type=int, default=3, help="repetitions; the table has medians")
    parser.add_argument("--output", type=Path, help="also write the table to this file")
    options = parser.parse_args()
    samples = max(1, options.lookups // TABLES)
    rates = generators(samples, options.repeats)
    more, size = files(samples, options.repeats)
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
        ]
    )
    print(text)
    if options.output is not None:
        options.output.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
