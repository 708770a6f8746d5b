#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draw "reads of every bank group over their mean".

Usage: python plots/imbalance.py results/results.h5 [--output STEM]
The same as `heam-sim plot imbalance`, whose --help lists all options: nothing is simulated.
"""

from __future__ import annotations

import sys

from heam_sim.cli import main

if __name__ == "__main__":
    sys.exit(main(["plot", "imbalance", *sys.argv[1:]]))
