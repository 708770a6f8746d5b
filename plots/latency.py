#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draw "latency of a sample against throughput, up to saturation (open loop)".

Usage: python plots/latency.py results/results.h5 [--output STEM]
The same as `heam-sim plot latency`, whose --help lists all options: nothing is simulated.
"""

from __future__ import annotations

import sys

from heam_sim.cli import main

if __name__ == "__main__":
    sys.exit(main(["plot", "latency", *sys.argv[1:]]))
