# SPDX-License-Identifier: MIT
"""What a second thread gains where every channel has a front end of its own.

HBM2 at 2000 Mb/s, 8 channels, uniformly random 64-byte accesses and a random mix of two reads to one write,
from arrays in memory. Wall time of the whole replay (cutting into blocks, address decoding, simulation,
draining) and of the simulation alone, with every block decoded beforehand. One and two threads take turns, so
that a change of the processor's clock or a neighbour's load meets both; the table has medians. Counters must
not depend on the number of threads, or the benchmark ends with an error.

    python benchmarks/threads.py --requests 4000000 --repeats 5
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from math import prod
from statistics import median
from typing import Any

import numpy as np
from replay import ACCESS_BYTES, MEMORIES, accesses, bursts

from heam_sim._core import ChannelParameters, Replay, SpecHandle
from heam_sim.address import parse_map
from heam_sim.dram import Spec
from heam_sim.traffic import Requests, replay_chunks
from heam_sim.traffic.decode import BLOCK, Decoder
from heam_sim.traffic.independent import IndependentChannels

MEMORY = MEMORIES[1]


class Decoded:
    """Hands out what has been decoded beforehand, by the number of the block."""

    def __init__(self, blocks: list[Any]) -> None:
        self.blocks = blocks

    def by_channel(self, number: int) -> Any:
        """The requests of every channel of a block."""
        return self.blocks[number]

    def feed(self, core: Replay, requests: dict[str, np.ndarray]) -> None:
        """Let a replay run decoded requests."""
        core.run(requests)


def whole(stream: Requests, threads: int) -> tuple[float, Any]:
    """Seconds of a replay from the arrays, and the counters of its channels."""
    start = time.perf_counter()
    result = replay_chunks(
        [stream],
        preset=f"ramulator-2.1/{MEMORY.organisation}/{MEMORY.timing}",
        channels=MEMORY.channels,
        front_end="per-channel",
        threads=threads,
    )
    return time.perf_counter() - start, result.channel_counters


def core(spec: Spec, decoded: Decoded, threads: int) -> tuple[float, Any]:
    """Seconds of the simulation of decoded blocks, and the counters of the channels."""
    handle, parameters = SpecHandle(spec), ChannelParameters(kind="plain", period=1)
    lanes = IndependentChannels(
        lambda: Replay(handle, parameters=parameters),
        channels=MEMORY.channels,
        threads=threads,
        decoder=decoded,
        with_log=False,
    )
    numbers = range(len(decoded.blocks))
    start = time.perf_counter()
    lanes.run((tuple(numbers[i : i + 4]) for i in numbers[::4]), drain=True)
    seconds = time.perf_counter() - start
    return seconds, tuple(lanes.channel_counters(channel) for channel in range(MEMORY.channels))


def measure(kind: str, options: argparse.Namespace) -> dict[str, tuple[float, float]]:
    """Median seconds on one and on two threads, of the whole and of the core part."""
    spec = MEMORY.spec
    total = MEMORY.channels * spec.rows * prod(spec.counts[level] for level in spec.levels) * spec.columns
    access, writes = accesses(kind, options.requests, total * spec.burst_bytes // ACCESS_BYTES, options.seed)
    burst, flags = bursts(spec, access, writes)
    stream = Requests((burst * spec.burst_bytes).astype(np.uint64), flags.astype(np.uint8))
    decoder = Decoder(parse_map("RoBaRaCoCh", spec, channels=MEMORY.channels), spec, alone=True)
    blocks = [
        Requests(stream.address[i : i + BLOCK], stream.is_write[i : i + BLOCK])
        for i in range(0, flags.size, BLOCK)
    ]
    decoded = Decoded([[decoder.requests(part) for part in decoder.by_channel(block)] for block in blocks])
    runs: dict[str, Callable[[int], tuple[float, Any]]] = {
        "whole": lambda threads: whole(stream, threads),
        "core": lambda threads: core(spec, decoded, threads),
    }
    found = {}
    for name, run in runs.items():
        seconds: dict[int, list[float]] = {1: [], 2: []}
        answers = []
        for _ in range(options.repeats):
            for threads in seconds:
                taken, answer = run(threads)
                seconds[threads].append(taken)
                answers.append(answer)
        if any(answer != answers[0] for answer in answers):
            sys.exit(f"{kind}: the counters depend on the number of threads.")
        found[name] = median(seconds[1]), median(seconds[2])
    return found


def main() -> None:
    """Run both streams and print the table."""
    parser = argparse.ArgumentParser(description="Gain of a second thread with a front end per channel.")
    parser.add_argument("--requests", type=int, default=4_000_000, help="64-byte accesses per stream")
    parser.add_argument("--repeats", type=int, default=5, help="repetitions; the table has medians")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print("| stream | part | 1 thread, s | 2 threads, s | gain | million accesses/s on 2 |")
    print("|---|---|---:|---:|---:|---:|")
    for kind in ("random", "mix"):
        for part, (one, two) in measure(kind, options).items():
            rate = options.requests / two / 1e6
            print(f"| {kind} | {part} | {one:.3f} | {two:.3f} | {one / two:.2f} | {rate:.2f} |", flush=True)


if __name__ == "__main__":
    main()
