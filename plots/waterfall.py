#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draw "from host-dimm to HEAM, or any walk of `explain`: the factor of each step".

Usage: python plots/waterfall.py results/results.h5 [--output STEM]
The same as `heam-sim plot waterfall`, whose --help lists all options: nothing is simulated.
"""

from __future__ import annotations

import sys

from heam_sim.cli import main

if __name__ == "__main__":
    sys.exit(main(["plot", "waterfall", *sys.argv[1:]]))
