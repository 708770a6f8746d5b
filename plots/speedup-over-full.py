#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draw "speed-up over the baseline with full tables".

Usage: python plots/speedup-over-full.py results/results.h5 [--output STEM]
The same as `heam-sim plot speedup-over-full`, whose --help lists all options: nothing is simulated.
"""

from __future__ import annotations

import sys

from heam_sim.cli import main

if __name__ == "__main__":
    sys.exit(main(["plot", "speedup-over-full", *sys.argv[1:]]))
