#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draw "vectors read from banks and rows opened per lookup".

Usage: python plots/bank-accesses.py results/results.h5 [--output STEM]
The same as `heam-sim plot bank-accesses`, whose --help lists all options: nothing is simulated.
"""

from __future__ import annotations

import sys

from heam_sim.cli import main

if __name__ == "__main__":
    sys.exit(main(["plot", "bank-accesses", *sys.argv[1:]]))
