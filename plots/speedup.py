#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draw "speed-up over a baseline by vector size, with geometric mean".

Usage: python plots/speedup.py results/results.h5 [--output STEM]
The same as `heam-sim plot speedup`, whose --help lists all options: nothing is simulated.
"""

from __future__ import annotations

import sys

from heam_sim.cli import main

if __name__ == "__main__":
    sys.exit(main(["plot", "speedup", *sys.argv[1:]]))
