# SPDX-License-Identifier: MIT
"""Peak memory and rate of a long replay from a file.

A child process stores random requests (a third of them writes) as HDF5 in chunks, a second one replays the
file through a channel of DDR4-2400R, in chunks too. Each reports its largest resident set. Nothing is kept
that grows with the stream, so both figures hardly depend on its length.

    python benchmarks/memory.py --requests 100000000
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from heam_sim.traffic import Requests, read_requests, replay_chunks, write_request_chunks

PRESET = "ramulator-2.1/DDR4_8Gb_x8/DDR4_2400R"
CHUNK = 1 << 18


def stream(count: int) -> Iterator[Requests]:
    """Random bursts of a 16 GiB space, in chunks."""
    rng = np.random.default_rng(1)
    for start in range(0, count, CHUNK):
        size = min(CHUNK, count - start)
        burst = rng.integers(0, 1 << 28, size, dtype=np.uint64)
        yield Requests(burst * np.uint64(64), (rng.random(size) < 1 / 3).astype(np.uint8))


def store(path: Path, count: int) -> str:
    """Write the file."""
    write_request_chunks(path, stream(count))
    return f"{path.stat().st_size / 1e6:,.0f} MB on disk"


def play(path: Path, count: int) -> str:
    """Replay the file."""
    result = replay_chunks(read_requests(path), preset=PRESET, overrides={"rank": 2})
    if result.requests != count:
        sys.exit(f"{result.requests} requests came out of {count}.")
    return f"{result.cycles:,} cycles, {result.bandwidth_GBps:.2f} GB/s"


PARTS = {"store": store, "replay": play}


def report(part: str, path: Path, count: int) -> None:
    """Do one part in this process and print what it took."""
    start = time.perf_counter()
    what = PARTS[part](path, count)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    rate = count / seconds / 1e6
    print(
        f"{part}: {count:,} requests in {seconds:.1f} s ({rate:.2f} million/s), "
        f"peak {peak / 1e6:.0f} MB; {what}"
    )


def main() -> None:
    """Run both parts in children, or one of them in this process."""
    parser = argparse.ArgumentParser(description="Peak memory and rate of a long replay from a file.")
    parser.add_argument("--requests", type=int, default=100_000_000)
    parser.add_argument("--folder", type=Path, help="where the file is made  [default: a temporary folder]")
    parser.add_argument("--part", choices=PARTS, help="only this part, on FOLDER/requests.h5")
    options = parser.parse_args()
    if options.part is not None:
        if options.folder is None:
            parser.error("--part needs --folder.")
        report(options.part, options.folder / "requests.h5", options.requests)
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for part in PARTS:
            arguments = ["--requests", str(options.requests), "--folder", folder, "--part", part]
            subprocess.run([sys.executable, __file__, *arguments], check=True)


if __name__ == "__main__":
    main()
