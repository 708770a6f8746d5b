# SPDX-License-Identifier: MIT
"""heam_sim: how fast, and with how much energy, does a memory system serve recommendation embeddings?"""

from __future__ import annotations

from heam_sim._version import __version__
from heam_sim.arrivals import PoissonArrivals, RegularArrivals
from heam_sim.datasets import generate, read_dataset
from heam_sim.embedding import QR, Full
from heam_sim.errors import HeamSimError
from heam_sim.experiments import sweep
from heam_sim.results import Result, ResultSet
from heam_sim.simulation import simulate
from heam_sim.systems import known_systems, load_system
from heam_sim.trace import LookupTrace
from heam_sim.traffic import ReplayResult, replay

__all__ = [
    "QR",
    "Full",
    "HeamSimError",
    "LookupTrace",
    "PoissonArrivals",
    "RegularArrivals",
    "ReplayResult",
    "Result",
    "ResultSet",
    "__version__",
    "generate",
    "known_systems",
    "load_system",
    "read_dataset",
    "replay",
    "simulate",
    "sweep",
]
