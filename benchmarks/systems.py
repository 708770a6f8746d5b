# SPDX-License-Identifier: MIT
"""Rate of every system and scheme, from a trace file to the result, and the memory of a large model.

The trace is one-hot in the shape of Criteo Kaggle, stored as HDF5; vectors have 128 bytes, and no command
log is kept. Processor time of one thread: the best of the repetitions, and where it goes. Everything that a
user waits for counts: reading, placement, lowering, the engine, ceilings and energy. `engine` is the C core's
simulation; all else is the Python half.

The large model has 26 tables that together take so many TB; the DIMMs' `capacity_scale` makes room for them.
It runs in a process of its own, which reports its largest resident set. No table is ever built.

    python benchmarks/systems.py --lookups 2600000 --repeats 3 --output build/systems.md
"""

from __future__ import annotations

import argparse
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from heam_sim import simulation
from heam_sim.datasets import generate, generate_tables
from heam_sim.errors import ConfigError
from heam_sim.results import Result
from heam_sim.systems import known_systems, load_system
from heam_sim.trace import TraceFile

TABLES = 26
VECTOR_BYTES = 128
SCHEMES = ("full", "hash:0.25", "qr:4", "qr:4:add", "qr:4:concatenate", "partitions:3", "tt:16")
LARGE = (("host-dimm", "full"), ("recnmp", "full"), ("heam", "qr:4"), ("trim-b", "full"))
#: What is timed, by where it stands; what is left of the whole is called `rest`.
PARTS: dict[str, tuple[Any, str]] = {
    "plan": (simulation, "plan"),
    "lower": (simulation.Plan, "lowered"),
    "demand": (simulation.Demand, "add"),
    "feed": (simulation.CoreSystem, "feed"),
    "engine": (simulation.CoreSystem, "run"),
    "ceilings": (simulation, "ceilings"),
    "result": (simulation, "_result"),
}
COLUMNS = (*PARTS, "rest")


@contextmanager
def timed(spent: dict[str, float], parts: dict[str, tuple[Any, str]] = PARTS) -> Iterator[None]:
    """Add up the processor time of parts, by name: where each stands, and what it is called there."""

    def watched(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **options: Any) -> Any:
            start = time.thread_time()
            try:
                return call(*arguments, **options)
            finally:
                spent[name] += time.thread_time() - start

        return run

    patches = [
        patch.object(owner, call, watched(name, getattr(owner, call)))
        for name, (owner, call) in parts.items()
    ]
    for one in patches:
        one.start()
    try:
        yield
    finally:
        for one in patches:
            one.stop()


def run(path: Path, system: str, embedding: str, **options: Any) -> tuple[dict[str, float], Result]:
    """Seconds by part, and the result."""
    spent = dict.fromkeys(COLUMNS, 0.0)
    with timed(spent), TraceFile(path) as trace:
        start = time.thread_time()
        result = simulation.simulate(
            trace, system=system, embedding=embedding, vector_bytes=VECTOR_BYTES, **options
        )
        whole = time.thread_time() - start
    spent["rest"] = whole - sum(spent[name] for name in PARTS)
    return spent, result


def row(path: Path, system: str, embedding: str, options: argparse.Namespace) -> str:
    """A row of the table: the fastest of the runs."""
    runs = [run(path, system, embedding, scope=options.scope) for _ in range(options.repeats)]
    if any(result != runs[0][1] for _, result in runs):
        sys.exit(f"{system} {embedding}: a repetition gave another result.")
    spent = min((spent for spent, _ in runs), key=lambda spent: sum(spent.values()))
    lookups = runs[0][1].lookups
    parts = [spent[name] * 1e9 / lookups for name in COLUMNS]
    cells = " | ".join(f"{part:.0f}" for part in (sum(parts), sum(parts) - parts[4], *parts))
    return f"| {system} | {embedding} | {1e3 / sum(parts):.2f} | {cells} |"


def rates(path: Path, options: argparse.Namespace) -> Iterator[str]:
    """The table of all systems and schemes."""
    yield f"| system | scheme | million lookups/s | ns per lookup | Python half | {' | '.join(COLUMNS)} |"
    yield f"|---|---|{'---:|' * (3 + len(COLUMNS))}"
    for system in options.systems:
        for embedding in options.schemes:
            try:
                yield row(path, system, embedding, options)
            except ConfigError as refused:
                print(f"{system} {embedding}: {refused}", file=sys.stderr)


def peak_bytes() -> int:
    """Largest resident set of this process."""
    status = Path("/proc/self/status")
    if status.exists():
        # getrusage would count what the parent had before this program replaced its copy.
        return int(status.read_text(encoding="ascii").split("VmHWM:")[1].split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def large(path: Path, terabytes: float, system: str, embedding: str) -> str:
    """A row of the table of large models: peak memory of this process."""
    spec = load_system("host-dimm").tier("dimm")
    offered = spec.channels * spec.spec().bytes_per_channel
    # Slots are powers of two and regions whole pages: a little more room than the model's bytes.
    scale = 1 << int(1.25 * terabytes * 1e12 / offered).bit_length()
    spent, result = run(path, system, embedding, overrides={"dimm.capacity_scale": scale})
    total = sum(spent.values()) * 1e9 / result.lookups
    rate = 1e3 / total
    return (
        f"| {system} | {embedding} | {scale} | {result.lookups:,} | {rate:.2f} | {peak_bytes() / 1e6:.0f} |"
    )


def large_models(folder: Path, options: argparse.Namespace) -> Iterator[str]:
    """The table of large models, each in a process of its own."""
    yield "| system | scheme | capacity_scale | lookups | million lookups/s | largest resident set, MB |"
    yield "|---|---|---:|---:|---:|---:|"
    rows = int(options.terabytes * 1e12 / VECTOR_BYTES / TABLES)
    path = folder / "large.h5"
    generate_tables([rows] * TABLES, samples=max(1, options.lookups // TABLES)).save(path)
    for system, embedding in LARGE:
        arguments = ["--large", system, embedding, "--folder", str(folder)]
        more = ["--terabytes", str(options.terabytes)]
        done = subprocess.run(
            [sys.executable, __file__, *arguments, *more], check=True, capture_output=True, text=True
        )
        yield done.stdout.strip()


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description="End-to-end rate of systems; memory of a large model.")
    parser.add_argument("--lookups", type=int, default=2_600_000, help="lookups of the trace")
    parser.add_argument("--repeats", type=int, default=3, help="repetitions; the table has the fastest")
    parser.add_argument("--systems", nargs="+", default=known_systems(), help="[default: all]")
    parser.add_argument("--schemes", nargs="+", default=SCHEMES, help=f"[default: {' '.join(SCHEMES)}]")
    parser.add_argument("--scope", choices=("bag", "sample"), default="bag", help="what is pooled")
    parser.add_argument("--terabytes", type=float, default=10, help="size of the large model; 0: none")
    parser.add_argument("--folder", type=Path, help="where traces are made  [default: a temporary folder]")
    parser.add_argument("--output", type=Path, help="also write the tables to this file")
    parser.add_argument("--large", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.large is not None:
        print(large(options.folder / "large.h5", options.terabytes, *options.large))
        return
    lines = [
        f"{options.lookups // TABLES * TABLES:,} lookups, processor time of one thread, fastest of "
        f"{options.repeats} runs ({platform.machine()}, {platform.system()}). Parts in ns per lookup.",
        "",
    ]
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        path = Path(name) / "trace.h5"
        generate("criteo-kaggle", samples=max(1, options.lookups // TABLES)).save(path)
        for line in rates(path, options):
            lines.append(line)
            print(line, flush=True)
        if options.terabytes:
            lines += ["", f"A model of {options.terabytes:g} TB (full), vectors of {VECTOR_BYTES} bytes.", ""]
            for line in large_models(Path(name), options):
                lines.append(line)
                print(line, flush=True)
    if options.output is not None:
        options.output.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
