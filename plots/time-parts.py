#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draw "what the time went to".

Usage: python plots/time-parts.py results/results.h5 [--output STEM]
The same as `heam-sim plot time-parts`, whose --help lists all options: nothing is simulated.
"""

from __future__ import annotations

import sys

from heam_sim.cli import main

if __name__ == "__main__":
    sys.exit(main(["plot", "time-parts", *sys.argv[1:]]))
