#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draw "speed-up over host-dimm on other memories".

Usage: python plots/memories.py results/results.h5 [--output STEM]
The same as `heam-sim plot memories`, whose --help lists all options: nothing is simulated.
"""

from __future__ import annotations

import sys

from heam_sim.cli import main

if __name__ == "__main__":
    sys.exit(main(["plot", "memories", *sys.argv[1:]]))
