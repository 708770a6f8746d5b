# SPDX-License-Identifier: MIT
"""How fast plain request streams are replayed, beside Ramulator 2.1 where it can be imported.

Eight cases: DDR4-2400R (8 Gb x8, 2 ranks, one channel, one request offered per cycle) and HBM2 at 2000 Mb/s
(4 Gb, 8 channels, eight requests offered per cycle), each with a sequential stream, uniformly random
accesses, a zipf gather of 256-byte rows and a random mix of two reads to one write. An access is 64 bytes:
one burst of DDR4, two of HBM2.

Engines are timed alone, from arrays of places to the last acceptance; ``replay()`` is the library's call,
timed from byte addresses to its result: standard read and compiled, places found, counters and distribution
collected.

Every repetition runs all engines and Ramulator one after the other on the same stream, so that a change of
the processor's clock or a neighbour's load meets all of them; the table has medians of processor time. Where
Ramulator runs, the clock, row hits, misses, conflicts and the sum of read latencies of every channel are
compared, and a difference is an error. Its reading of the trace file is not counted.

    python benchmarks/replay.py --requests 1000000 --repeats 3 --output build/replay.md
"""

from __future__ import annotations

import argparse
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from pathlib import Path
from statistics import geometric_mean, median
from typing import Any

import numpy as np

import heam_sim
from heam_sim._core import ENGINES, ChannelParameters, Replay, SpecHandle
from heam_sim.dram import Spec, load_spec
from heam_sim.errors import ConfigError

ACCESS_BYTES = 64
LIBRARY = "replay()"
KINDS = ("sequential", "random", "gather", "mix")
# Our names of the counters that Ramulator has too.
SHARED = {
    "row_hits": "row_hits",
    "row_misses": "row_misses",
    "row_conflicts": "row_conflicts",
    "read_latency": "read_latency",
}


@dataclass(frozen=True)
class Memory:
    """A memory of the benchmark, by its names here and there."""

    label: str
    standard: str
    organisation: str
    timing: str
    ranks: int | None
    channels: int
    offers: int
    controller: str

    @property
    def spec(self) -> Spec:
        """The compatibility preset."""
        overrides = {"rank": self.ranks} if self.ranks else None
        return load_spec(f"ramulator-2.1/{self.organisation}/{self.timing}", overrides=overrides)


MEMORIES = (
    Memory("DDR4-2400R, 2 ranks", "DDR4", "DDR4_8Gb_x8", "DDR4_2400R", 2, 1, 1, "GenericDDR"),
    Memory("HBM2-2000, 8 channels", "HBM2", "HBM2_4Gb", "HBM2_2000Mbps", None, 8, 8, "HBM12"),
)


def accesses(kind: str, count: int, total: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Access numbers below `total` (int64) and whether each is a write (bool)."""
    rng = np.random.default_rng(seed)
    writes = np.zeros(count, bool)
    if kind == "sequential":
        return np.arange(count) % total, writes
    if kind == "gather":
        rows = total // 4
        drawn = rng.zipf(1.2, 4 * count)
        drawn = drawn[drawn < rows][: count // 4 + 1] * 2654435761 % rows
        return (drawn[:, None] * 4 + np.arange(4)).ravel()[:count], writes
    if kind == "mix":
        writes = rng.random(count) < 1 / 3
    return rng.integers(0, total, count), writes


def bursts(spec: Spec, access: np.ndarray, writes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Burst addresses (in bursts) and write flags of 64-byte accesses."""
    per_access = ACCESS_BYTES // spec.burst_bytes
    return (access[:, None] * per_access + np.arange(per_access)).ravel(), np.repeat(writes, per_access)


def requests(spec: Spec, channels: int, burst: np.ndarray, writes: np.ndarray) -> dict[str, np.ndarray]:
    """Channel from the lowest digits, then RoBaRaCoCh: column, rank, bank group, bank, row."""
    rest, channel = np.divmod(burst, channels)
    rest, column = np.divmod(rest, spec.columns)
    bank = np.zeros_like(rest)
    for level in spec.levels[1:]:
        rest, node = np.divmod(rest, spec.counts[level])
        bank = bank * spec.counts[level] + node
    return {
        "channel": channel.astype(np.uint16),
        "bank": bank.astype(np.uint16),
        "row": (rest % spec.rows).astype(np.uint32),
        "column": column.astype(np.uint16),
        "is_write": writes.astype(np.uint8),
    }


def ours(memory: Memory, stream: dict[str, np.ndarray], engine: str) -> tuple[float, list[dict[str, int]]]:
    """Seconds of one replay, and the counters of its channels."""
    core = Replay(
        SpecHandle(memory.spec),
        parameters=ChannelParameters(kind="plain", period=1),
        channels=memory.channels,
        offers_per_cycle=memory.offers,
        engine=engine,
    )
    start = time.process_time()
    core.run(stream)
    seconds = time.process_time() - start
    core.stop()
    return seconds, [core.channel_counters(channel) for channel in range(memory.channels)]


def library(memory: Memory, address: np.ndarray, writes: np.ndarray) -> tuple[float, list[dict[str, int]]]:
    """Seconds of one call of the library, with its fastest engine, and the counters of its channels."""
    start = time.process_time()
    result = heam_sim.replay(
        address,
        writes,
        preset=f"ramulator-2.1/{memory.organisation}/{memory.timing}",
        overrides={"rank": memory.ranks} if memory.ranks else None,
        channels=memory.channels,
        offers_per_cycle=memory.offers,
        drain=False,
    )
    return time.process_time() - start, list(result.channel_counters)


def theirs(ramulator: Any, memory: Memory, trace: Path) -> tuple[float, list[dict[str, Any]]]:
    """Seconds of one run of Ramulator and its counters per channel."""

    def controller() -> Any:
        device = getattr(ramulator.dram, memory.standard)
        ranks = {"rank": memory.ranks} if memory.ranks else {}
        return getattr(ramulator.controller, memory.controller)(
            dram=device(org_preset=memory.organisation, timing_preset=memory.timing, **ranks),
            scheduler=ramulator.scheduler.FRFCFS(),
            refresh_manager=ramulator.refresh_manager.AllBank(),
            row_policy=ramulator.row_policy.Open(),
            addr_mapper=ramulator.addr_mapper.RoBaRaCoCh(),
        )

    simulation = ramulator.Simulation(
        ramulator.frontend.LoadStoreTrace(clock_ratio=memory.offers, path=str(trace)),
        ramulator.memory_system.GenericDRAM(
            clock_ratio=1,
            controllers=[controller() for _ in range(memory.channels)],
            channel_mapper=ramulator.channel_mapper.CacheLineInterleave(),
        ),
    )
    start = time.process_time()
    simulation.run()
    seconds = time.process_time() - start
    found = simulation.stats["memory_system"]["controller"]
    return seconds, found if isinstance(found, list) else [found]


def compare(label: str, mine: list[dict[str, int]], its: list[dict[str, Any]]) -> None:
    """End the benchmark if the two simulators disagree."""
    for channel, (left, right) in enumerate(zip(mine, its, strict=True)):
        for name, other in {"cycles": "cycles", **SHARED}.items():
            if left[name] != right[other]:
                sys.exit(
                    f"{label}: channel {channel}, {name}: {left[name]} here, {right[other]} in Ramulator."
                )


def usable(memory: Memory, wanted: list[str]) -> list[str]:
    """The engines that this processor has."""
    found = []
    for engine in wanted:
        try:
            Replay(
                SpecHandle(memory.spec), parameters=ChannelParameters(kind="plain", period=1), engine=engine
            )
        except ConfigError:
            continue
        found.append(engine)
    return found


def measure(
    memory: Memory, kind: str, engines: list[str], options: argparse.Namespace, ramulator: Any
) -> dict[str, float]:
    """Median million accesses per second, by engine; Ramulator's as ``"ramulator"``."""
    spec = memory.spec
    total = memory.channels * spec.rows * prod(spec.counts[level] for level in spec.levels) * spec.columns
    access, writes = accesses(kind, options.requests, total * spec.burst_bytes // ACCESS_BYTES, options.seed)
    burst, writes = bursts(spec, access, writes)
    stream = requests(spec, memory.channels, burst, writes)
    address = burst * spec.burst_bytes
    seconds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "stream.trace"
        if ramulator is not None:
            lines = zip(writes.tolist(), address.tolist(), strict=True)
            trace.write_text("".join(f"{'ST' if write else 'LD'} {place}\n" for write, place in lines))
        for _ in range(options.repeats):
            runs: dict[str, Callable[[], tuple[float, Any]]] = {
                engine: lambda engine=engine: ours(memory, stream, engine) for engine in engines
            }
            runs[LIBRARY] = lambda: library(memory, address, writes)
            if ramulator is not None:
                runs["ramulator"] = lambda: theirs(ramulator, memory, trace)
            answers = {}
            for name, run in runs.items():
                taken, answers[name] = run()
                seconds.setdefault(name, []).append(taken)
            for engine in (*engines, LIBRARY):
                if answers[engine] != answers[engines[0]]:
                    sys.exit(f"{memory.label}, {kind}: {engine} and {engines[0]} differ.")
            if ramulator is not None:
                compare(f"{memory.label}, {kind}", answers[engines[0]], answers["ramulator"])
    return {name: options.requests / median(taken) / 1e6 for name, taken in seconds.items()}


def table(results: dict[str, dict[str, float]], engines: list[str]) -> list[str]:
    """The results as a Markdown table: million accesses per second, in brackets times Ramulator."""
    compared = all("ramulator" in rates for rates in results.values())
    names = (["ramulator"] if compared else []) + engines
    rows = [f"| case | {' | '.join(names)} |", f"|---|{'---:|' * len(names)}"]
    for label, rates in results.items():
        cells = [
            f"{rates[name]:.3f}"
            if name == "ramulator"
            else f"{rates[name]:.2f}" + (f" ({rates[name] / rates['ramulator']:.0f}x)" if compared else "")
            for name in names
        ]
        rows.append(f"| {label} | {' | '.join(cells)} |")
    if compared:
        means = [
            f"{geometric_mean([rates[name] / rates['ramulator'] for rates in results.values()]):.0f}x"
            for name in engines
        ]
        rows.append(f"| geometric mean | 1x | {' | '.join(means)} |")
    return rows


def find_ramulator() -> Any:
    """The Python package of Ramulator 2.1, or None."""
    try:
        import ramulator
    except ImportError:
        return None
    return ramulator


def main() -> None:
    """Run the cases that were asked for and print the table."""
    parser = argparse.ArgumentParser(description="Speed of replays, beside Ramulator 2.1 if it is installed.")
    parser.add_argument("--requests", type=int, default=1_000_000, help="64-byte accesses per case")
    parser.add_argument("--repeats", type=int, default=3, help="repetitions; the table has medians")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--engines", default=",".join(ENGINES[1:]), help="comma-separated")
    parser.add_argument("--kinds", default=",".join(KINDS), help="comma-separated")
    parser.add_argument("--output", type=Path, help="also write the table to this file")
    options = parser.parse_args()
    ramulator = find_ramulator()
    if ramulator is None:
        print(
            "Ramulator is not installed (`import ramulator` fails): only our own speed is measured.",
            file=sys.stderr,
        )
    results = {}
    engines: list[str] = []
    for memory in MEMORIES:
        engines = usable(memory, options.engines.split(","))
        for kind in options.kinds.split(","):
            results[f"{memory.label}: {kind}"] = measure(memory, kind, engines, options, ramulator)
            print(f"{memory.label}: {kind}: {results[f'{memory.label}: {kind}']}", file=sys.stderr)
    text = "\n".join(
        [
            f"Million 64-byte accesses per second of processor time, one thread, median of {options.repeats} "
            f"runs of {options.requests} accesses ({platform.machine()}, {platform.system()}).",
            "",
            *table(results, [*engines, LIBRARY]),
        ]
    )
    print(text)
    if options.output is not None:
        options.output.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
