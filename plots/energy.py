#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draw "energy per sample by component, stacked".

Usage: python plots/energy.py results/results.h5 [--output STEM]
The same as `heam-sim plot energy`, whose --help lists all options: nothing is simulated.
"""

from __future__ import annotations

import sys

from heam_sim.cli import main

if __name__ == "__main__":
    sys.exit(main(["plot", "energy", *sys.argv[1:]]))
