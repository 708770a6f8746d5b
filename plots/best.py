#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draw "published settings and the best found, from tuned.csv".

Usage: python plots/best.py tuned/tuned.csv [--output STEM]
The same as `heam-sim plot best`, whose --help lists all options: nothing is simulated.
"""

from __future__ import annotations

import sys

from heam_sim.cli import main

if __name__ == "__main__":
    sys.exit(main(["plot", "best", *sys.argv[1:]]))
