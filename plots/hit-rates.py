#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draw "what row buffers, host cache, LUTs and PE caches serve".

Usage: python plots/hit-rates.py results/results.h5 [--output STEM]
The same as `heam-sim plot hit-rates`, whose --help lists all options: nothing is simulated.
"""

from __future__ import annotations

import sys

from heam_sim.cli import main

if __name__ == "__main__":
    sys.exit(main(["plot", "hit-rates", *sys.argv[1:]]))
