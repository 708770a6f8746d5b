#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draw a trace: CDF of accesses, reuse and stack distances, hit share against the size of a cache.

Usage: python plots/trace.py trace.h5 FOLDER [--collisions C]
The same as `heam-sim trace plot`, whose --help lists all options. These figures need the trace, not results.
"""

from __future__ import annotations

import sys

from heam_sim.cli import main

if __name__ == "__main__":
    sys.exit(main(["trace", "plot", *sys.argv[1:]]))
