# SPDX-License-Identifier: MIT
"""From the engine's counters to those of the result, and to the energy model's activity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from heam_sim.dram import Spec
from heam_sim.dram.stop_level import pe_resource
from heam_sim.energy import (
    WINDOW_NS,
    EnergyReport,
    HostActivity,
    TierActivity,
    command_energies,
    compute_energy,
    load_power,
    sram_area,
    tier_power,
)
from heam_sim.energy.events import DEPTH
from heam_sim.placement import TierLayout

if TYPE_CHECKING:
    from heam_sim.planning import Plan
    from heam_sim.simulation import Run

__all__ = ["account_energy", "account_power", "channel_rows", "energy_weights", "group_reads", "tier_totals"]

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
)
# Commands that cross the pins of the memory devices, and those that do if the host sends all of them.
_ON_PINS = ("act", "pre", "prea", "rd", "wr", "ref", "ref_bank", "pim_rd")
_HOST_DRIVEN = ("pim_mov", "pim_lut")
_KINDS = {
    "act": ("ACT",),
    "rd": ("RD",),
    "wr": ("WR",),
    "ref": ("REF",),
    "ref_bank": ("REFPB", "REFSB"),
    "pim_rd": ("PIM_RD",),
    "pim_mov": ("PIM_MOV",),
    "pim_rdres": ("PIM_RDRES",),
    "pim_wrlut": ("PIM_WRLUT",),
    "pim_wrimm": ("PIM_WRIMM",),
}
_FJ_PER_PJ = 1000
# Behind which level of the energy model a resource of the way to the host ends.
_WHERE_IT_ENDS = {"bank": "bank", "bank_group_io": "bank_group", "rank_io": "sid", "dram_bus": "rank"}


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
    """Return each tier's counters summed over its channels (the largest of ``cycles``, ``queue_peak`` and
    ``energy_rank_peak``).
    """
    totals: dict[str, dict[str, int]] = {}
    for row in channel_rows(planned, run):
        sums = totals.setdefault(row["tier"], {})
        for name, value in row.items():
            if name in ("cycles", "queue_peak", "energy_rank_peak"):
                sums[name] = max(sums.get(name, 0), value)
            elif name not in ("tier", "channel"):
                sums[name] = sums.get(name, 0) + value
    return totals


def group_reads(planned: Plan, run: Run) -> dict[str, dict[str, Any]]:
    """Return the column reads of every bank group: ``bank_reads`` of a result."""
    found: dict[str, dict[str, Any]] = {}
    for name, layout in planned.placement.layouts.items():
        level = "bank_group" if "bank_group" in layout.spec.levels else layout.spec.second_level
        reads = np.array([run.bank_reads[channel] for channel in layout.channels], dtype=np.int64)
        groups = reads.reshape(len(layout.channels), layout.spec.nodes(level), -1).sum(axis=2)
        found[name] = {"level": level, "reads": groups.tolist()}
    return found


def energy_weights(layout: TierLayout) -> tuple[dict[str, int], int]:
    """What the engine is told of energy.

    Parameters
    ----------
    layout
        Of a tier.

    Returns
    -------
    tuple
        Kind of command to its nominal energy in fJ, and the length of a window in cycles of the tier's clock.
    """
    tier = TierActivity(**_wiring(layout), counts={}, rank_active_ns=0.0)
    energies = command_energies(tier)
    weights = {
        kind: round(energies[name].value * _FJ_PER_PJ) for name, kinds in _KINDS.items() for kind in kinds
    }
    return weights, _window_cycles(layout)


def _window_cycles(layout: TierLayout) -> int:
    return max(1, round(WINDOW_NS * 1000 / float(layout.spec.tCK_ps)))


def _wiring(layout: TierLayout) -> dict[str, Any]:
    """What the energy model must know of a tier before anything is simulated."""
    spec, pim = layout.spec, layout.tier.pim
    ranks = spec.nodes(spec.second_level)
    return {
        "name": layout.tier.name,
        "power": load_power(layout.tier.power),
        "burst_bytes": spec.burst_bytes,
        "ranks": ranks * layout.tier.channels,
        "ref_bank_share": float(spec.refresh_share(layout.tier.controller.refresh_kind or "REF")),
        "unit_level": _energy_level(pim.unit_level, spec) if pim is not None else None,
        "merge_level": _energy_level(pim.merge_level, spec) if pim is not None and pim.merge_level else None,
        "lut_copies": layout.units // ranks if pim is not None and layout.units > 1 else 1,
        "host_driven": pim is not None and pim.delivery == "host-driven",
    }


def _tier_activity(planned: Plan, run: Run, layout: TierLayout, totals: Mapping[str, int]) -> TierActivity:
    spec, pim = layout.spec, layout.tier.pim
    counts = {name: totals[name] for name in _PASSED_ON}
    counts["commands"] = sum(totals[name] for name in _ON_PINS)
    if pim is not None:
        counts |= _element_counts(planned, run, layout, totals)
    cycle_ns, wiring = float(spec.tCK_ps) / 1000, _wiring(layout)
    # A power file of a device with other banks: how many of those would have been open is not known.
    banks = spec.banks // spec.nodes(spec.second_level)
    known = wiring["power"].kind != "dimm" or wiring["power"]["banks_per_rank"].value == banks
    return TierActivity(
        **wiring,
        counts=counts,
        rank_active_ns=totals["rank_active"] * cycle_ns,
        bank_active_ns=totals["bank_active"] * cycle_ns if known else None,
    )


def _element_counts(planned: Plan, run: Run, layout: TierLayout, totals: Mapping[str, int]) -> dict[str, int]:
    """Counters that only a tier with processing elements has."""
    spec, pim = layout.spec, layout.tier.pim
    assert pim is not None
    looked_up = totals["pe_hits"] + totals["pe_misses"] + totals["pe_prefetches"]
    counts = {
        "alu_add_elements": run.work.pe_adds,
        "alu_mul_elements": run.work.pe_multiplies,
        "merge_add_elements": totals["pim_mov"] * (spec.burst_bytes // ELEMENT_BYTES),
        "stack_add_elements": totals["pim_xmov"] * (spec.burst_bytes // ELEMENT_BYTES),
        "lut_bytes_read": run.work.lut_bytes + totals["pe_read"] * spec.burst_bytes,
        "cache_bytes_written": totals["pe_filled"] * spec.burst_bytes,
        "tags_read": looked_up * planned.placement.cache.ways,
    }
    if pim.delivery == "host-driven":
        on_pins = (*_ON_PINS, *_HOST_DRIVEN)
        return counts | {"commands": sum(totals[name] for name in on_pins)}
    bits = pim.instruction_size(weighted=planned.simulated.weighted)
    return counts | {
        "instructions": totals["instructions"] + run.carried,
        "instruction_bits": totals["instructions"] * bits,
    }


def _energy_level(level: str, spec: Spec) -> str:
    """The energy model's name for a level; one of the standard's own is where its data come out."""
    if level not in DEPTH:
        level = _WHERE_IT_ENDS[pe_resource(spec, level)]
    return "rank" if level == "pseudo_channel" else level


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
    return compute_energy(_activities(planned, run, totals), activity, run.time_ns)


def _activities(planned: Plan, run: Run, totals: Mapping[str, Mapping[str, int]]) -> list[TierActivity]:
    return [
        _tier_activity(planned, run, layout, totals[name])
        for name, layout in planned.placement.layouts.items()
    ]


def account_power(
    planned: Plan, run: Run, totals: Mapping[str, Mapping[str, int]], energy: EnergyReport
) -> list[dict[str, Any]]:
    """Power of every tier, and the area of its LUTs and caches: ``power`` of a result."""
    rows = []
    for activity in _activities(planned, run, totals):
        layout, counts = planned.placement.layouts[activity.name], totals[activity.name]
        power = tier_power(
            energy,
            activity,
            window_pJ=counts["energy_peak"] / _FJ_PER_PJ,
            rank_window_pJ=counts["energy_rank_peak"] / _FJ_PER_PJ,
            window_ns=_window_cycles(layout) * float(layout.spec.tCK_ps) / 1000,
            budget_W=layout.tier.power_budget_W,
        )
        rows.append({**power.to_dict(), **_area(layout, activity)})
    return rows


def _area(layout: TierLayout, activity: TierActivity) -> dict[str, float]:
    pim = layout.tier.pim
    size = 0 if pim is None else pim.lut_bytes + pim.cache_bytes
    elements = layout.units * layout.tier.channels
    area = sram_area(size, elements)
    one = area.value / (elements * activity.devices_per_element)
    return {
        "sram_mm2": area.value,
        "sram_low_mm2": area.low,
        "sram_high_mm2": area.high,
        "sram_of_element_in_device_mm2": one,
    }
