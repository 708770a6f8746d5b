# SPDX-License-Identifier: MIT
"""Checkers that read a command log and nothing else of a simulation.

They share no code with the C core and none with lowering. :func:`check_protocol` holds a log against every
rule of a memory standard; :func:`check_functional` executes it on integer embeddings and compares the sums
with those of an embedding bag.
"""

from __future__ import annotations

from heam_sim.check.arrivals import check_arrivals
from heam_sim.check.crossbar import check_crossbar
from heam_sim.check.functional import FunctionalReport, Mismatch, check_functional
from heam_sim.check.homes import Homes
from heam_sim.check.logs import (
    LOG_DTYPE,
    CommandLog,
    Recording,
    log_ending,
    read_any_log,
    read_log,
    read_ramulator_csv,
    read_recording,
    write_log,
)
from heam_sim.check.protocol import check_protocol
from heam_sim.check.report import Report, Violation
from heam_sim.check.reuse import CacheRules

__all__ = [
    "LOG_DTYPE",
    "CacheRules",
    "CommandLog",
    "FunctionalReport",
    "Homes",
    "Mismatch",
    "Recording",
    "Report",
    "Violation",
    "check_arrivals",
    "check_crossbar",
    "check_functional",
    "check_protocol",
    "log_ending",
    "read_any_log",
    "read_log",
    "read_ramulator_csv",
    "read_recording",
    "write_log",
]
