# SPDX-License-Identifier: MIT
"""The program ``heam-sim``. The only room that prints."""

from __future__ import annotations

from heam_sim.cli.main import main

__all__ = ["main"]
