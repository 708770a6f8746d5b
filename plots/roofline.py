#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draw "the rate that the bandwidth of each level allows, and the one reached".

Usage: python plots/roofline.py results/results.h5 [--output STEM]
The same as `heam-sim plot roofline`, whose --help lists all options: nothing is simulated.
"""

from __future__ import annotations

import sys

from heam_sim.cli import main

if __name__ == "__main__":
    sys.exit(main(["plot", "roofline", *sys.argv[1:]]))
