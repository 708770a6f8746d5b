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

from heam_sim._core import ChannelParameters, DemandShape, add_demand
from heam_sim.dram import Spec, earliest_gap
from heam_sim.lowering import Lowered
from heam_sim.placement import ModelPlacement, TierLayout

__all__ = ["Demand", "ceilings"]

_Int = NDArray[np.int64]
_SUMS = (
    "reads",
    "port_cycles",
    "alu_bursts",
    "alu_cycles",
    "instructions",
    "operands",
    "host_bursts",
    "partials",
    "results",
    "stack_sums",
    "immediates",
)
_RELATION = {"bank": "bank", "bank_group": "bank_group", "rank": "rank", "pseudo_channel": "rank"}


def _relation(level: str, spec: Spec) -> str:
    """What two banks of one PE have in common at least; a level of the standard's own is its own relation."""
    return _RELATION.get(level, level if level in spec.levels[1:] else "other_rank")


#: Up to so many possible values a set is a flag for each (a byte, touched only where something is set).
_FLAGS = 1 << 26
# As many flags are counted in about the time in which one key is sorted.
_FLAGS_PER_KEY = 64


class _Distinct:
    """Distinct integers of a long stream: a sorted array, or flags where that array would get long.

    That array is merged seldom, because merging sorts. A short run has few rows of a large memory, and to
    count its flags would take longer than all else that is counted.
    """

    def __init__(self, possible: int = 0) -> None:
        self._possible = possible if possible <= _FLAGS else 0
        self._flags = np.zeros(0, bool)
        self._merged: _Int = np.empty(0, np.int64)
        self._pending: list[_Int] = []

    def add(self, keys: _Int) -> None:
        if self._flags.size:
            self._flags[keys] = True
            return
        self._pending.append(keys)
        waiting = sum(part.size for part in self._pending)
        if waiting > self._possible // _FLAGS_PER_KEY > 0:
            self._flags = np.zeros(self._possible, bool)
            for part in (self._merged, *self._pending):
                self._flags[part] = True
            self._merged, self._pending = np.empty(0, np.int64), []
        elif waiting > max(1 << 20, self._merged.size):
            self.values()

    def values(self) -> _Int:
        """Return them in order, if they are not flags."""
        if self._pending:
            # Not numpy.unique, which hashes.
            keys = np.concatenate([self._merged, *self._pending])
            keys.sort()
            self._merged = keys[np.diff(keys, prepend=-1) != 0]
            self._pending = []
        return self._merged

    def counts(self, width: int, blocks: int) -> _Int:
        """Return how many there are in each of so many blocks of values, int64 (blocks,)."""
        found: _Int
        if self._flags.size:
            # Block by block: along an axis numpy would add up integers.
            found = np.array([np.count_nonzero(flags) for flags in self._flags.reshape(blocks, width)])
        else:
            found = np.bincount(self.values() // width, minlength=blocks)
        return found


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
    stack_sums
        Bursts of what is left when those of a tier with a stack node are put together, by the channel that
        reads them out: (channels,).
    gnrs
        Bags so far.
    immediates
        Bursts that the host sends to PEs: (channels,).
    host_lines, added_lines
        Lines that the host looks up, and those of them that it adds.
    pe_rows, shortest
        Distinct rows that every PE needs (numbers of :class:`~heam_sim._core.DemandLists`), and the fewest
        bursts of one; only where caches or merging may spare it the reading of some.
    lines
        Distinct first lines of rows that the host reads (channel in the high bits), by the lines of a row;
        only if there is a cache. Rows have their lines for themselves.
    rows
        Distinct DRAM rows (numbers of :class:`~heam_sim._core.DemandLists`).
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
    stack_sums: _Int = field(init=False)
    immediates: _Int = field(init=False)
    gnrs: int = 0
    host_lines: int = 0
    added_lines: int = 0
    shortest: int = 0
    pe_rows: _Distinct = field(default_factory=_Distinct)
    lines: dict[int, _Distinct] = field(default_factory=dict)
    rows: _Distinct | None = None

    def __post_init__(self) -> None:
        self.reads, self.port_cycles, self.alu_bursts, self.alu_cycles = (
            np.zeros((self.channels, self.units), np.int64) for _ in range(4)
        )
        self.instructions, self.partials, self.results, self.operands, self.host_bursts = (
            np.zeros(self.channels, np.int64) for _ in range(5)
        )
        self.stack_sums, self.immediates = (np.zeros(self.channels, np.int64) for _ in range(2))

    def add(self, lowered: Lowered, placement: ModelPlacement) -> None:
        """Add the work arrays of some bags."""
        shape = self._shape(placement)
        sums = {name: getattr(self, name).reshape(-1) for name in _SUMS}
        lists = add_demand(shape, sums, lowered.items, lowered.offsets)
        if self.rows is None:
            self.rows = _Distinct(self.channels * shape.banks * shape.dram_rows)
        self.rows.add(lists.rows)
        self.pe_rows.add(lists.pe_rows)
        self.gnrs += lowered.offsets.size - 1
        self.host_lines += lists.host_lines
        self.added_lines += lists.added_lines
        if lists.shortest:
            self.shortest = min(self.shortest or lists.shortest, lists.shortest)
        counts = lists.line_counts
        kinds = np.flatnonzero(np.bincount(counts)).tolist()
        for lines in kinds:
            mine = lists.lines if len(kinds) == 1 else lists.lines[counts == lines]
            self.lines.setdefault(lines, _Distinct()).add(mine)

    def _shape(self, placement: ModelPlacement) -> DemandShape:
        layouts = placement.layouts.values()
        banks, dram_rows = _largest(placement)
        layout = placement.pim_layout
        pim = layout.tier.pim if layout is not None else None
        stack = layout.channels if layout is not None and pim and pim.stack_bytes_per_cycle > 0 else range(0)
        return DemandShape(
            units=self.units,
            banks=banks,
            dram_rows=dram_rows,
            line_bytes=placement.home.line_bytes,
            port_bytes_per_cycle=pim.lut_bytes_per_cycle if pim is not None else 0,
            burst_bytes=tuple(one.spec.burst_bytes for one in layouts for _ in one.channels),
            stack_first=stack.start,
            stack_channels=len(stack),
            gnrs=self.gnrs,
            lines=placement.system.host.llc_bytes > 0,
            pe_rows=placement.reuses_rows,
        )


def _largest(placement: ModelPlacement) -> tuple[int, int]:
    """Most banks of a channel and most DRAM rows of a bank."""
    specs = [layout.spec for layout in placement.layouts.values()]
    return max(spec.banks for spec in specs), max(spec.rows for spec in specs)


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
    bursts = demand.host_bursts[list(span)]
    if has_llc:
        per_channel = np.zeros(demand.channels, np.int64)
        for lines, firsts in demand.lines.items():
            per_channel += lines * np.bincount(firsts.values() >> 48, minlength=demand.channels)
        bursts = per_channel[list(span)] * per_line
    buses = spec.nodes(spec.host_bus_level)
    per_bus = -(-int(bursts.max(initial=0)) // buses)
    cycles = max(per_bus - 1, 0) * spec.timing["nBL"]
    what = "distinct lines" if has_llc else "lines"
    return [
        _row("host-side bus", layout.tier.name, cycles * tck, f"bursts of the busiest channel ({what}) x nBL")
    ]


def _activation_rows(
    layout: TierLayout, demand: Demand, distinct: _Int, *, sure: bool
) -> list[dict[str, Any]]:
    """ACTs; `distinct`: DRAM rows (channels, banks)."""
    spec = layout.spec
    tck = float(spec.tCK_ps) / 1000
    span = slice(layout.first_channel, layout.first_channel + layout.tier.channels)
    of_ranks = distinct[span, : spec.banks].reshape(-1, spec.banks // spec.nodes(spec.second_level))
    most = int(of_ranks.sum(axis=1).max(initial=0))
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


def _pim_rows(
    layout: TierLayout, demand: Demand, parameters: ChannelParameters, opened: _Int
) -> list[dict[str, Any]]:
    """What the PEs' side allows; `opened`: distinct DRAM rows (channels of the tier,)."""
    spec, pim, name = layout.spec, layout.tier.pim, layout.tier.name
    assert pim is not None
    tck = float(spec.tCK_ps) / 1000
    span = slice(layout.first_channel, layout.first_channel + layout.tier.channels)
    unit_gap = max(earliest_gap(spec, "PIM_RD", "PIM_RD", _relation(pim.unit_level, spec)), 1)
    of_units, what = demand.reads, "bursts of the busiest PE x PIM_RD spacing"
    if demand.shortest:
        needed = np.bincount(demand.pe_rows.values() >> 44, minlength=demand.reads.size)
        of_units = needed.reshape(demand.reads.shape) * demand.shortest
        what = "bursts of the distinct rows of the busiest PE x PIM_RD spacing"
    reads = int(of_units[span].max(initial=0))
    results = demand.results[span] if parameters.merge else demand.partials[span]
    read_out = demand.stack_sums[span] if parameters.stack else results
    out = int(read_out.max(initial=0))
    given = demand.immediates[span]
    instructions = demand.instructions[span] * parameters.instruction_cycles + read_out + given
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
            "instructions x path cycles + bursts of results and immediates",
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
    if given.any():
        of_bus = -(-int(given.max()) // spec.nodes(spec.host_bus_level))
        what = "immediate bursts of the busiest channel x nBL"
        rows.append(("host-side bus (immediates)", max(of_bus - 1, 0) * spec.timing["nBL"], what))
    if parameters.stack:
        crossed = int(results.sum())
        rows.append(
            (
                "stack crossbar",
                max(crossed - 1, 0) * parameters.xmov_cycles,
                "result bursts of all channels x cycles",
            )
        )
        rows.append(("stack node", crossed * parameters.stack_cycles, "the same x adder cycles"))
    if parameters.second_stage_cycles:
        of_rank = -(-int(demand.instructions[span].max(initial=0)) // spec.nodes(spec.second_level))
        what = "instructions per rank of the busiest channel x cycles of its path"
        rows.append(("second instruction path", of_rank * parameters.second_stage_cycles, what))
    if parameters.host_driven:
        columns = of_units[span].sum(axis=1) + read_out + given
        if parameters.merge:
            columns = columns + demand.partials[span]
        # A row that a PE has need not be opened.
        activates = np.zeros_like(opened) if demand.shortest else opened
        rows.append(("command bus", *_command_bus(layout, columns, activates)))
    return [_row(resource, name, cycles * tck, formula) for resource, cycles, formula in rows]


def _command_bus(layout: TierLayout, columns: _Int, activates: _Int) -> tuple[int, str]:
    """Cycles that the commands of the busiest channel take, with one ACT for each of its rows at least."""
    if layout.spec.split_command_buses:
        return max(int(np.maximum(columns, activates).max(initial=0)) - 1, 0), (
            "column commands, or distinct rows, of the busiest channel"
        )
    return max(int((columns + activates).max(initial=0)) - 1, 0), (
        "column commands and distinct rows of the busiest channel"
    )


def ceilings(
    placement: ModelPlacement,
    demand: Demand,
    parameters: Mapping[str, ChannelParameters],
    *,
    last_arrival_ns: float | None = None,
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
    last_arrival_ns
        When the last sample comes (open loop).

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
    if last_arrival_ns is not None:
        rows.append(_row("arrivals", "host", last_arrival_ns, "arrival of the last sample"))
    added = demand.added_lines * host.line_bytes
    banks, dram_rows = _largest(placement)
    distinct = np.zeros((demand.channels, banks), np.int64)
    if demand.rows is not None:
        distinct = demand.rows.counts(dram_rows, distinct.size).reshape(distinct.shape)
    for name, layout in placement.layouts.items():
        # A row that a PE has from its home may spare it the copy of the same row.
        sure = not (placement.reuses_rows and placement.spread.rows.size)
        rows += _activation_rows(layout, demand, distinct, sure=sure)
        if layout.tier.pim is None:
            rows += _plain_rows(layout, demand, host.llc_bytes > 0)
            continue
        span = slice(layout.first_channel, layout.first_channel + layout.tier.channels)
        results = demand.results[span] if parameters[name].merge else demand.partials[span]
        results = demand.stack_sums[span] if parameters[name].stack else results
        added += int(results.sum()) * layout.spec.burst_bytes
        rows += _pim_rows(layout, demand, parameters[name], distinct[span].sum(axis=1))
    rows.append(
        _row("host adder", "host", (added // host.add_bytes_per_cycle) * period, "bytes added / adder width")
    )
    return sorted(rows, key=lambda row: -row["time_ns"])
