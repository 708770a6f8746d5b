#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draw "HEAM tier by tier: speed-up and energy".

Usage: python plots/ablation.py results/results.h5 [--output STEM]
The same as `heam-sim plot ablation`, whose --help lists all options: nothing is simulated.
"""

from __future__ import annotations

import sys

from heam_sim.cli import main

if __name__ == "__main__":
    sys.exit(main(["plot", "ablation", *sys.argv[1:]]))
