# SPDX-License-Identifier: MIT
"""Lookup traces to and from the formats of other tools."""

from __future__ import annotations

from heam_sim.exchange.fbgemm import read_fbgemm, write_fbgemm
from heam_sim.exchange.requests import export_requests, import_requests

__all__ = ["export_requests", "import_requests", "read_fbgemm", "write_fbgemm"]
