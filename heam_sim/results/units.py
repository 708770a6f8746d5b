# SPDX-License-Identifier: MIT
"""The unit of every number of a result, told by its name."""

from __future__ import annotations

import functools

from heam_sim._core import records

__all__ = ["field_units", "unit_of"]

# The longest suffix decides; names follow this rule everywhere (docs/results.md).
_SUFFIXES = (
    ("_per_second", "1/s"),
    ("_GBps", "GB/s"),
    ("_bytes", "B"),
    ("_mm2", "mm2"),
    ("_ns", "ns"),
    ("_ps", "ps"),
    ("_pJ", "pJ"),
    ("_fJ", "fJ"),
    ("_W", "W"),
)
_FIELDS = (
    *("time_ns", "latency_ns", "energy_pJ", "vector_bytes", "average_power_W", "peak_power_W"),
    *("lookups_per_second", "samples_per_second", "gnrs_per_second", "sram_mm2"),
)


@functools.cache
def _counters() -> dict[str, str]:
    """Units of the core's counters; what it calls "energy" is in femtojoules here (docs/formats.md)."""
    found = {one.name: one.unit for one in (*records.counters(), *records.host_counters())}
    return {name: "fJ" if unit == "energy" else unit for name, unit in found.items()}


def unit_of(statistic: str) -> str:
    """Return the unit of a column or statistic.

    Parameters
    ----------
    statistic
        A column of :meth:`heam_sim.results.Result.to_frame`, a counter, or a dotted path to one, as
        ``"counters.hbm.act"`` or ``"latency_ns.p99"``.

    Returns
    -------
    str
        Empty for what has none (shares, names) or is not known.
    """
    parts = statistic.split(".")
    if parts[0] in ("counters", "channel_counters", "host") and parts[-1] in _counters():
        return _counters()[parts[-1]]
    if parts[-1].startswith("bound_by ") or parts[0] == "bank_reads":
        return "commands"
    for part in reversed(parts):
        for suffix, unit in _SUFFIXES:
            if part.endswith(suffix):
                return unit
    return ""


def field_units() -> dict[str, dict[str, str]]:
    """Return the units of a result's own fields and of all counters, as they are stored beside results."""
    return {"fields": {name: unit_of(name) for name in _FIELDS}, "counters": dict(_counters())}
