# SPDX-License-Identifier: MIT
"""What every figure shows, by name.

Apart from what draws them, so that help and completion load neither pandas nor matplotlib.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["FIGURE_TEXTS"]

#: One line for people per key of ``heam_sim.experiments.figures.FIGURES``, in its order.
FIGURE_TEXTS: Mapping[str, str] = {
    "speedup": "speed-up over a baseline by vector size, with geometric mean",
    "energy": "energy per sample by component, stacked",
    "speedup-over-full": "speed-up over the baseline with full tables",
    "bank-accesses": "vectors read from banks and rows opened per lookup",
    "hit-rates": "what row buffers, host cache, LUTs and PE caches serve",
    "roofline": "the rate that the bandwidth of each level allows, and the one reached",
    "time-parts": "what the time went to",
    "ablation": "HEAM tier by tier: speed-up and energy",
    "waterfall": "from host-dimm to HEAM, or any walk of `explain`: the factor of each step",
    "latency": "latency of a sample against throughput, up to saturation (open loop)",
    "imbalance": "reads of every bank group over their mean",
    "sensitivity": "lookups per second while one factor changes",
    "memories": "speed-up over host-dimm on other memories",
    "compression": "memory of the model against time, energy and accesses",
    "best": "published settings and the best found, from tuned.csv",
}
