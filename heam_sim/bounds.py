# SPDX-License-Identifier: MIT
"""Closed-form ceilings: the least time that each resource allows, from work and data sheet alone.

Nothing is simulated here. A run that is faster than one of these limits is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heam_sim._core import (
    FLAG_CARRIED,
    ITEM_HOST_READ,
    ITEM_PIM_LUT,
    ITEM_PIM_READ,
    ROLE_ACC,
    ROLE_FILL,
    ROLE_LOAD,
    ROLE_MAC,
    ChannelParameters,
)
from heam_sim.dram import Spec, earliest_gap
from heam_sim.lowering import Lowered
from heam_sim.placement import ModelPlacement, TierLayout

__all__ = ["Demand", "ceilings"]

_Int = NDArray[np.int64]
_RELATION = {"bank": "bank", "bank_group": "bank_group", "rank": "rank", "pseudo_channel": "rank"}


class _Distinct:
    """Distinct integers of a long stream; merged seldom, because merging sorts."""

    def __init__(self) -> None:
        self._merged: _Int = np.empty(0, np.int64)
        self._pending: list[_Int] = []

    def add(self, keys: _Int) -> None:
        self._pending.append(keys)
        if sum(part.size for part in self._pending) > max(1 << 20, self._merged.size):
            self.values()

    def values(self) -> _Int:
        if self._pending:
            self._merged = np.unique(np.concatenate([self._merged, *self._pending]))
            self._pending = []
        return self._merged


@dataclass
class Demand:
    """What a run asks of every resource, collected while its work arrays are made.

    Attributes
    ----------
    channels, units
        Channels over all tiers and the largest number of PEs in one.
    reads, port_cycles, alu_bursts, alu_cycles
        PIM bursts read, cycles of the LUT port, bursts through the ALU that take its usual time, and cycles
        of the others: (channels, units).
    instructions, operands, host_bursts
        Instructions, operands read from banks, bursts for the host: (channels,).
    partials, results
        Bursts of sums that leave units, and of what is left when those of a channel are put together:
        (channels,).
    host_lines
        Lines that the host looks up.
    pe_rows, shortest
        Distinct rows that every PE needs, and the fewest bursts of one; only where caches or merging may
        spare it the reading of some.
    lines, rows
        Distinct host lines (channel in the high bits) and distinct DRAM rows (channel, bank, row).
    """

    channels: int
    units: int
    reads: _Int = field(init=False)
    port_cycles: _Int = field(init=False)
    alu_bursts: _Int = field(init=False)
    alu_cycles: _Int = field(init=False)
    instructions: _Int = field(init=False)
    partials: _Int = field(init=False)
    results: _Int = field(init=False)
    operands: _Int = field(init=False)
    host_bursts: _Int = field(init=False)
    host_lines: int = 0
    shortest: int = 0
    pe_rows: _Distinct = field(default_factory=_Distinct)
    lines: _Distinct = field(default_factory=_Distinct)
    rows: _Distinct = field(default_factory=_Distinct)

    def __post_init__(self) -> None:
        self.reads, self.port_cycles, self.alu_bursts, self.alu_cycles = (
            np.zeros((self.channels, self.units), np.int64) for _ in range(4)
        )
        self.instructions, self.partials, self.results, self.operands, self.host_bursts = (
            np.zeros(self.channels, np.int64) for _ in range(5)
        )

    def add(self, lowered: Lowered, placement: ModelPlacement) -> None:
        """Add the work arrays of some bags."""
        items = lowered.items
        channel = items["channel"].astype(np.int64)
        self._add_rows(items, channel)
        host = items["kind"] == ITEM_HOST_READ
        if host.any():
            self._add_host(items, channel, host, placement)
        if not host.all():
            self._add_pim(lowered, channel, ~host, placement)

    def _add_rows(self, items: Mapping[str, NDArray[Any]], channel: _Int) -> None:
        banked = items["kind"] != ITEM_PIM_LUT
        key = (
            channel[banked] << 48
            | items["bank"][banked].astype(np.int64) << 32
            | items["row"][banked].astype(np.int64)
        )
        self.rows.add(key)
        self.operands += np.bincount(channel[banked], minlength=self.channels)

    def _add_host(
        self,
        items: Mapping[str, NDArray[Any]],
        channel: _Int,
        host: NDArray[np.bool_],
        placement: ModelPlacement,
    ) -> None:
        layouts = placement.layouts.values()
        size = np.array([layout.spec.burst_bytes for layout in layouts for _ in layout.channels], np.int64)
        at, bursts = channel[host], items["bursts"][host].astype(np.int64)
        lines = bursts * size[at] // placement.home.line_bytes
        self.host_lines += int(lines.sum())
        self.host_bursts += np.bincount(at, bursts, self.channels).astype(np.int64)
        first = np.repeat(at << 48 | items["line"][host].astype(np.int64), lines)
        self.lines.add(first + np.arange(first.size) - np.repeat(np.cumsum(lines) - lines, lines))

    def _add_pim(
        self, lowered: Lowered, channel: _Int, pim: NDArray[np.bool_], placement: ModelPlacement
    ) -> None:
        layout = placement.pim_layout
        assert layout is not None and layout.tier.pim is not None
        items = lowered.items
        kind, bursts = items["kind"][pim], items["bursts"][pim].astype(np.int64)
        role, alu = items["role"][pim], items["alu"][pim].astype(np.int64)
        place = channel[pim] * self.units + items["unit"][pim].astype(np.int64)
        shape, size = self.reads.shape, self.reads.size

        def total(which: NDArray[np.bool_], weight: _Int) -> _Int:
            counted: _Int = np.bincount(place[which], weight[which], size).astype(np.int64).reshape(shape)
            return counted

        reading = kind == ITEM_PIM_READ
        self.reads += total(reading, bursts)
        if placement.reuses_rows and reading.any():
            self.pe_rows.add(place[reading] << 44 | items["line"][pim][reading].astype(np.int64))
            self.shortest = min(self.shortest or 1 << 16, int(bursts[reading].min()))
        port = layout.tier.pim.lut_bytes_per_cycle
        self.port_cycles += total(kind == ITEM_PIM_LUT, -(-bursts * layout.spec.burst_bytes // port))
        works = (role != ROLE_LOAD) & (role != ROLE_FILL)
        self.alu_bursts += total(works & (alu == 0), bursts)
        self.alu_cycles += total(works & (alu > 0), bursts * alu)
        sent = pim & (items["flags"] & FLAG_CARRIED == 0)
        self.instructions += np.bincount(channel[sent], minlength=self.channels)
        starts = lowered.offsets.astype(np.int64)
        gnr = np.repeat(np.arange(starts.size - 1), np.diff(starts))[pim]
        adds = (role == ROLE_ACC) | (role == ROLE_MAC)
        segment, covers = (items[name][pim].astype(np.int64)[adds] for name in ("segment", "covers"))
        covers = np.where(covers > 0, covers, bursts[adds])
        self._add_sums(gnr[adds], place[adds], segment, covers)

    def _add_sums(self, gnr: _Int, place: _Int, segment: _Int, covers: _Int) -> None:
        """Count the bursts that every (GnR, unit) and every (GnR, channel) holds of a sum."""
        mask = (np.uint64(0xFFFFFFFFFFFFFFFF) >> (64 - covers).astype(np.uint64)) << segment.astype(np.uint64)
        order = np.argsort(gnr * self.reads.size + place, kind="stable")
        for of_place, counter in ((place, self.partials), (place // self.units, self.results)):
            key = (gnr * self.reads.size + of_place)[order]
            new = np.flatnonzero(np.diff(key, prepend=-1))
            if new.size:
                held = np.bitwise_count(np.bitwise_or.reduceat(mask[order], new)).astype(np.int64)
                at = of_place[order][new] // (self.units if of_place is place else 1)
                counter += np.bincount(at, held, self.channels).astype(np.int64)


def _row(resource: str, tier: str, time_ns: float, formula: str, *, enforced: bool = True) -> dict[str, Any]:
    return {
        "resource": resource,
        "tier": tier,
        "time_ns": float(time_ns),
        "formula": formula,
        "enforced": enforced,
    }


def _window_cycles(spec: Spec, activates: int) -> int:
    """Cycles that so many ACTs of one rank take at least: by tFAW and by the shortest ACT-to-ACT distance."""
    if activates < 2:
        return 0
    gap = min(earliest_gap(spec, "ACT", "ACT", relation) for relation in ("bank", "bank_group", "rank"))
    return max((activates - 1) // 4 * spec.timing["nFAW"], (activates - 1) * gap)


def _plain_rows(layout: TierLayout, demand: Demand, has_llc: bool) -> list[dict[str, Any]]:
    spec = layout.spec
    span = range(layout.first_channel, layout.first_channel + layout.tier.channels)
    per_line = layout.line_bytes // spec.burst_bytes
    tck = float(spec.tCK_ps) / 1000
    channel_of = demand.lines.values() >> 48
    distinct = np.array([int((channel_of == c).sum()) for c in span]) * per_line
    bursts = distinct if has_llc else demand.host_bursts[list(span)]
    buses = spec.nodes(spec.host_bus_level)
    per_bus = -(-int(bursts.max(initial=0)) // buses)
    cycles = max(per_bus - 1, 0) * spec.timing["nBL"]
    what = "distinct lines" if has_llc else "lines"
    return [
        _row("host-side bus", layout.tier.name, cycles * tck, f"bursts of the busiest channel ({what}) x nBL")
    ]


def _activation_rows(layout: TierLayout, demand: Demand, *, sure: bool) -> list[dict[str, Any]]:
    spec = layout.spec
    tck = float(spec.tCK_ps) / 1000
    stride = spec.banks // spec.nodes(spec.second_level)
    keys = demand.rows.values()
    channel, bank = keys >> 48, (keys >> 32) & 0xFFFF
    inside = (channel >= layout.first_channel) & (channel < layout.first_channel + layout.tier.channels)
    ranks = channel[inside] * spec.banks + bank[inside] // stride
    most = int(np.unique(ranks, return_counts=True)[1].max(initial=0))
    span = slice(layout.first_channel, layout.first_channel + layout.tier.channels)
    per_rank = int(demand.operands[span].max(initial=0)) // spec.nodes(spec.second_level)
    return [
        _row(
            "activation window",
            layout.tier.name,
            _window_cycles(spec, most) * tck,
            "distinct rows of the busiest rank x nFAW / 4",
            enforced=sure,
        ),
        _row(
            "activation window, one ACT per operand",
            layout.tier.name,
            _window_cycles(spec, per_rank) * tck,
            "banked operands per rank of the busiest channel x nFAW / 4 (no row hits, no merging: an "
            "estimate)",
            enforced=False,
        ),
    ]


def _pim_rows(layout: TierLayout, demand: Demand, parameters: ChannelParameters) -> list[dict[str, Any]]:
    spec, pim, name = layout.spec, layout.tier.pim, layout.tier.name
    assert pim is not None
    tck = float(spec.tCK_ps) / 1000
    span = slice(layout.first_channel, layout.first_channel + layout.tier.channels)
    unit_gap = max(earliest_gap(spec, "PIM_RD", "PIM_RD", _RELATION.get(pim.unit_level, "other_rank")), 1)
    of_units, what = demand.reads, "bursts of the busiest PE x PIM_RD spacing"
    if demand.shortest:
        needed = np.bincount(demand.pe_rows.values() >> 44, minlength=demand.reads.size)
        of_units = needed.reshape(demand.reads.shape) * demand.shortest
        what = "bursts of the distinct rows of the busiest PE x PIM_RD spacing"
    reads = int(of_units[span].max(initial=0))
    results = demand.results[span] if parameters.merge else demand.partials[span]
    out = int(results.max(initial=0))
    instructions = demand.instructions[span] * parameters.instruction_cycles + results
    moved = int(demand.partials[span].max(initial=0)) if parameters.merge else 0
    alu = demand.alu_bursts[span] * parameters.alu_cycles + demand.alu_cycles[span]
    rows = [
        ("PE column reads", max(reads - 1, 0) * unit_gap, what),
        ("ALU", int(alu.max(initial=0)), "bursts of the busiest PE x ALU cycles"),
        (
            "LUT port",
            int(demand.port_cycles[span].max(initial=0)),
            "LUT rows of the busiest PE x port cycles",
        ),
        (
            "instruction path",
            max(int(instructions.max(initial=0)) - 1, 0),
            "instructions x path cycles + result bursts",
        ),
        (
            "host-side bus (results)",
            max(out - 1, 0) * spec.timing["nBL"],
            "result bursts of the busiest channel x nBL",
        ),
        (
            "merge node",
            moved * parameters.merge_cycles,
            "partial bursts of the busiest channel x adder cycles",
        ),
    ]
    if moved:
        relations = ("bank", "bank_group", "rank")
        gap = max(1, min(earliest_gap(spec, "PIM_MOV", "PIM_MOV", relation) for relation in relations))
        of_rank = -(-moved // spec.nodes(spec.second_level))
        what = "partial bursts per rank of the busiest channel x PIM_MOV spacing"
        rows.append(("partials on their way", max(of_rank - 1, 0) * gap, what))
    if parameters.second_stage_cycles:
        of_rank = -(-int(demand.instructions[span].max(initial=0)) // spec.nodes(spec.second_level))
        what = "instructions per rank of the busiest channel x cycles of its path"
        rows.append(("second instruction path", of_rank * parameters.second_stage_cycles, what))
    if parameters.host_driven:
        columns = of_units[span].sum(axis=1) + results
        if parameters.merge:
            columns = columns + demand.partials[span]
        rows.append(("command bus", *_command_bus(layout, demand, columns)))
    return [_row(resource, name, cycles * tck, formula) for resource, cycles, formula in rows]


def _command_bus(layout: TierLayout, demand: Demand, columns: _Int) -> tuple[int, str]:
    """Cycles that the commands of the busiest channel take, with one ACT for each of its rows at least."""
    activates = np.bincount(demand.rows.values() >> 48, minlength=demand.channels)[list(layout.channels)]
    if demand.shortest:
        activates = np.zeros_like(activates)  # a row that a PE has need not be opened
    if layout.spec.split_command_buses:
        return max(int(np.maximum(columns, activates).max(initial=0)) - 1, 0), (
            "column commands, or distinct rows, of the busiest channel"
        )
    return max(int((columns + activates).max(initial=0)) - 1, 0), (
        "column commands and distinct rows of the busiest channel"
    )


def ceilings(
    placement: ModelPlacement, demand: Demand, parameters: Mapping[str, ChannelParameters]
) -> list[dict[str, Any]]:
    """Return the least time of every resource.

    Parameters
    ----------
    placement
        System, layouts and host.
    demand
        The whole run's work.
    parameters
        Channel parameters by tier.

    Returns
    -------
    list of dict
        ``resource``, ``tier``, ``time_ns``, ``formula`` and ``enforced`` (false for estimates), the slowest
        first.
    """
    host = placement.system.host
    period = host.clock_ps / 1000
    tokens = demand.host_lines + int(demand.instructions.sum())
    rows: list[dict[str, Any]] = [
        _row(
            "host issue",
            "host",
            (tokens // host.issue_per_cycle) * period,
            "lines and instructions / issue width",
        )
    ]
    added = demand.host_lines * host.line_bytes
    for name, layout in placement.layouts.items():
        # A row that a PE has from its home may spare it the copy of the same row.
        sure = not (placement.reuses_rows and placement.spread.rows.size)
        rows += _activation_rows(layout, demand, sure=sure)
        if layout.tier.pim is None:
            rows += _plain_rows(layout, demand, host.llc_bytes > 0)
            continue
        span = slice(layout.first_channel, layout.first_channel + layout.tier.channels)
        results = demand.results[span] if parameters[name].merge else demand.partials[span]
        added += int(results.sum()) * layout.spec.burst_bytes
        rows += _pim_rows(layout, demand, parameters[name])
    rows.append(
        _row("host adder", "host", (added // host.add_bytes_per_cycle) * period, "bytes added / adder width")
    )
    return sorted(rows, key=lambda row: -row["time_ns"])
