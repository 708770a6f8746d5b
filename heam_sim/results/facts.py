# SPDX-License-Identifier: MIT
"""A result in words: the rows that the command line and a notebook show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from heam_sim.results.result import Result

__all__ = ["result_facts", "result_title", "run_label"]

_COMMANDS = ("act", "rd", "pim_rd", "pim_mov", "pim_rdres", "pim_lut", "ref")


def result_title(result: Result) -> str:
    """System, embedding, vector size and scope."""
    return f"{result.system}, {result.embedding}, {result.vector_bytes} B, scope {result.scope}"


def run_label(result: Result) -> str:
    """The same on one line, without words between."""
    return f"{result.system} {result.embedding} {result.vector_bytes} B {result.scope}"


def result_facts(result: Result) -> list[tuple[str, str, str]]:
    """Return what a reader looks for first: name, value and unit, as text."""
    total = result.energy.total_pJ
    rows = [
        ("time", f"{result.time_ns:,.1f}", "ns"),
        ("samples, lookups", f"{result.samples:,}, {result.lookups:,}", ""),
        ("lookups", f"{result.lookups_per_second / 1e6:,.2f}", "M/s"),
        (
            "latency of a GnR, mean / p99",
            f"{result.latency_ns['mean']:,.0f} / {result.latency_ns['p99']:,.0f}",
            "ns",
        ),
        *_arrivals(result),
        ("energy", f"{result.energy_pJ / 1e6:,.3f}", "µJ"),
        ("energy, interval of the sources", f"{total.low / 1e6:,.3f} to {total.high / 1e6:,.3f}", "µJ"),
        ("average power", f"{result.average_power_W:,.2f}", "W"),
        *_power(result),
        ("tightest ceiling", f"{result.bound}, {100 * result.achieved_fraction:.0f} % reached", ""),
        ("time went to", _time_parts(result), "of the time"),
    ]
    for name, part in result.energy.by_component().items():
        if part.value:
            rows.append((f"  {name}", f"{part.value / 1e6:,.3f}", "µJ"))
    for tier, counters in result.counters.items():
        shown = ", ".join(f"{name} {counters[name]:,}" for name in _COMMANDS if counters.get(name))
        rows.append((tier, shown, "commands"))
        rows.append((f"  {tier}: times set by", _reasons(counters), "of commands"))
    rows += [("note", note, "") for note in result.notes]
    return rows


def _arrivals(result: Result) -> list[tuple[str, str, str]]:
    """Offered load and latencies of an open loop."""
    if not result.arrivals:
        return []
    latency = result.arrivals["sample_latency_ns"]
    offered, load = result.arrivals["samples_per_second"], result.arrivals["load"]
    share = "" if load is None else f" ({load:g} of the closed loop's)"
    shown = " / ".join(f"{latency[key]:,.0f}" for key in ("mean", "p50", "p95", "p99"))
    return [
        (f"samples offered{share}", f"{offered / 1e6:,.3f}", "M/s"),
        ("samples served", f"{result.samples_per_second / 1e6:,.3f}", "M/s"),
        ("latency of a sample, mean / p50 / p95 / p99", shown, "ns"),
    ]


def _power(result: Result) -> list[tuple[str, str, str]]:
    """Peak power of every tier, and the area of LUTs and caches where there are any."""
    rows = []
    for row in result.power:
        over = " (above its budget)" if row["over_budget"] else ""
        rows.append((f"peak power of {row['tier']}{over}", f"{row['peak_power_W']:,.2f}", "W"))
        if row["sram_mm2"]:
            rows.append((f"LUTs and caches of {row['tier']}", f"{row['sram_mm2']:,.2f}", "mm2"))
    return rows


def _time_parts(result: Result) -> str:
    """The largest parts of the time."""
    parts = [
        f"{row['tier']} {row['resource']} {100 * row['time_ns'] / result.time_ns:.0f} %"
        for row in result.time_parts[:4]
        if result.time_ns > 0
    ]
    return ", ".join(parts)


def _reasons(counters: Mapping[str, int]) -> str:
    """The resources that set the time of most commands."""
    prefix = "bound_by "
    reasons = {
        name.removeprefix(prefix): count for name, count in counters.items() if name.startswith(prefix)
    }
    total = sum(reasons.values())
    most = sorted(reasons.items(), key=lambda item: -item[1])[:4]
    return ", ".join(f"{name.replace('_', ' ')} {100 * count / total:.0f} %" for name, count in most if total)
