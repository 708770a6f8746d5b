# SPDX-License-Identifier: MIT
"""Lookup traces: which embedding rows every sample touches, in memory and in HDF5."""

from __future__ import annotations

from heam_sim.trace.lookup_trace import LookupTrace
from heam_sim.trace.store import FILETYPE, FORMAT_VERSION
from heam_sim.trace.trace_file import TraceFile, extend_trace
from heam_sim.trace.writer import TraceWriter

__all__ = ["FILETYPE", "FORMAT_VERSION", "LookupTrace", "TraceFile", "TraceWriter", "extend_trace"]
