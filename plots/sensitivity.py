#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draw "lookups per second while one factor changes".

Usage: python plots/sensitivity.py results/results.h5 [--output STEM]
The same as `heam-sim plot sensitivity`, whose --help lists all options: nothing is simulated.
"""

from __future__ import annotations

import sys

from heam_sim.cli import main

if __name__ == "__main__":
    sys.exit(main(["plot", "sensitivity", *sys.argv[1:]]))
