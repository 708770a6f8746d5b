#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draw "memory of the model against time, energy and accesses".

Usage: python plots/compression.py results/results.h5 [--output STEM]
The same as `heam-sim plot compression`, whose --help lists all options: nothing is simulated.
"""

from __future__ import annotations

import sys

from heam_sim.cli import main

if __name__ == "__main__":
    sys.exit(main(["plot", "compression", *sys.argv[1:]]))
