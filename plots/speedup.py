#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draw speed-ups over a baseline from the results of a study.

Usage: python plots/speedup.py results/results.h5 [--output results/speedup] [--baseline host-dimm]
Writes PDF, PNG and the CSV behind the figure. A summary.csv serves as well as results.h5.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from heam_sim.errors import HeamSimError
from heam_sim.plotting import save_figure, speedup_bars
from heam_sim.results import read_frame


def main(arguments: list[str] | None = None) -> int:
    """Run the script; 0 if the figure was written, 2 if something is wrong with the input or the output."""
    parser = argparse.ArgumentParser(description="Draw speed-ups over a baseline.")
    parser.add_argument("results", type=Path, help="results.h5 or summary.csv of a study")
    parser.add_argument("--output", type=Path, help="path without suffix; default: beside the results")
    parser.add_argument("--columns", type=int, choices=(1, 2), default=2, help="width in columns of a page")
    parser.add_argument("--scope", choices=("bag", "sample"), help="draw this pooling scope only")
    parser.add_argument("--baseline", default="host-dimm", help="system whose speed is 1")
    options = parser.parse_args(arguments)
    try:
        frame = read_frame(options.results)
        if options.scope and "scope" in frame.columns:
            frame = frame[frame["scope"] == options.scope]
        figure, table = speedup_bars(frame, baseline=options.baseline, columns=options.columns)
        written = save_figure(figure, options.output or options.results.with_name("speedup"), table)
    except HeamSimError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print("\n".join(str(path) for path in written))
    return 0


if __name__ == "__main__":
    sys.exit(main())
