# SPDX-License-Identifier: MIT
"""From the engine's counters to those of the result, and to the energy model's activity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from heam_sim.energy import EnergyReport, HostActivity, TierActivity, compute_energy, load_power
from heam_sim.placement import TierLayout

if TYPE_CHECKING:
    from heam_sim.simulation import Plan, Run

__all__ = ["account_energy", "channel_rows", "tier_totals"]

ELEMENT_BYTES = 4  # FP32
_PASSED_ON = (
    "act",
    "rd",
    "wr",
    "ref",
    "ref_bank",
    "pim_rd",
    "pim_mov",
    "pim_rdres",
    "pim_xmov",
    "pim_wrlut",
    "pim_wrimm",
    "pim_lut",
    "instructions",
)


def channel_rows(planned: Plan, run: Run) -> list[dict[str, Any]]:
    """Return the counters of every channel, with tier and number.

    ``bound_by <resource>`` counts the commands whose time a row of that resource set (or arrival, a command
    slot, the instruction path, the LUT port).
    """
    rows: list[dict[str, Any]] = []
    for name, layout in planned.placement.layouts.items():
        for number in range(layout.tier.channels):
            at = layout.first_channel + number
            bounds = {f"bound_by {resource}": count for resource, count in run.bounds[at].items()}
            rows.append({"tier": name, "channel": number, **run.channels[at], **bounds})
    return rows


def tier_totals(planned: Plan, run: Run) -> dict[str, dict[str, int]]:
    """Return each tier's counters summed over its channels (maxima for ``cycles`` and ``queue_peak``)."""
    totals: dict[str, dict[str, int]] = {}
    for row in channel_rows(planned, run):
        sums = totals.setdefault(row["tier"], {})
        for name, value in row.items():
            if name in ("cycles", "queue_peak"):
                sums[name] = max(sums.get(name, 0), value)
            elif name not in ("tier", "channel"):
                sums[name] = sums.get(name, 0) + value
    return totals


def _tier_activity(planned: Plan, run: Run, layout: TierLayout, totals: Mapping[str, int]) -> TierActivity:
    spec, pim = layout.spec, layout.tier.pim
    counts = {name: totals[name] for name in _PASSED_ON}
    per_burst = spec.burst_bytes // ELEMENT_BYTES
    if pim is not None:
        bits = pim.instruction_size(weighted=planned.simulated.weighted)
        counts["alu_add_elements"] = run.work.pe_adds
        counts["alu_mul_elements"] = run.work.pe_multiplies
        counts["merge_add_elements"] = totals["pim_mov"] * per_burst
        counts["stack_add_elements"] = totals["pim_xmov"] * per_burst
        # Rows from caches come out of an SRAM like the LUT's; their mean size is that of the rows read.
        reads = totals["row_hits"] + totals["row_misses"] + totals["row_conflicts"]
        cached = totals["pe_hits"] * totals["pim_rd"] * spec.burst_bytes // max(reads, 1)
        counts["lut_bytes_read"] = run.work.lut_bytes + cached
        counts["instruction_bits"] = totals["instructions"] * bits
    return TierActivity(
        name=layout.tier.name,
        power=load_power(layout.tier.power),
        burst_bytes=spec.burst_bytes,
        counts=counts,
        ranks=spec.nodes(spec.second_level) * layout.tier.channels,
        rank_active_ns=totals["rank_active"] * float(spec.tCK_ps) / 1000,
        ref_bank_share=float(spec.refresh_share(layout.tier.controller.refresh_kind or "REF")),
        unit_level=_energy_level(pim.unit_level) if pim is not None else None,
        merge_level=_energy_level(pim.merge_level) if pim is not None and pim.merge_level else None,
        lut_copies=layout.units // spec.nodes(spec.second_level)
        if pim is not None and layout.units > 1
        else 1,
    )


def _energy_level(level: str) -> str:
    return {"pseudo_channel": "rank", "dimm": "rank"}.get(level, level)


def account_energy(planned: Plan, run: Run, totals: Mapping[str, Mapping[str, int]]) -> EnergyReport:
    """Apply the energy model to a run."""
    host, line = run.host, planned.system.host.line_bytes
    has_llc = planned.system.host.llc_bytes > 0
    activity = HostActivity(
        add_bytes=host["added_bytes"],
        multiply_bytes=run.work.host_multiplies * ELEMENT_BYTES,
        llc_lookups=host["lines"] if has_llc else 0,
        llc_line_bytes=host["lines"] * line if has_llc else 0,
    )
    tiers = [
        _tier_activity(planned, run, layout, totals[name])
        for name, layout in planned.placement.layouts.items()
    ]
    return compute_energy(tiers, activity, run.time_ns)
