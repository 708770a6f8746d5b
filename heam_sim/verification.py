# SPDX-License-Identifier: MIT
"""Hands a run's command log to the independent checkers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from heam_sim.check import (
    CacheRules,
    FunctionalReport,
    Homes,
    Report,
    check_arrivals,
    check_crossbar,
    check_functional,
    check_protocol,
)
from heam_sim.embedding import Subtable
from heam_sim.errors import CheckError
from heam_sim.placement import Located, ModelPlacement, TierLayout

if TYPE_CHECKING:
    from heam_sim.planning import Plan
    from heam_sim.simulation import Run

__all__ = ["check_commands", "check_sums", "declare_homes", "verify"]

_Int = NDArray[np.int64]


def verify(planned: Plan, run: Run) -> None:
    """Run the protocol check and the functional check on the command log of a run.

    Raises
    ------
    CheckError
        The first violation of either.
    """
    for name, layout in planned.placement.layouts.items():
        pim = layout.tier.pim
        report = check_commands(planned, name, run.log, run.command_names)
        _demand_ok(report, f"protocol check of {planned.system.name}, tier {name}")
        if pim is not None and pim.stack_bytes_per_cycle > 0:
            report = check_crossbar(run.log, run.command_names, layout.channels, cycles=pim.xmov_cycles)
            _demand_ok(report, f"protocol check of {planned.system.name}, stack of tier {name}")
    if planned.arrival_ticks is not None:
        report = _check_arrivals(planned, run, planned.arrival_ticks)
        _demand_ok(report, f"check of arrivals of {planned.system.name}")
    outcome = check_sums(planned, run.log, run.command_names)
    _demand_ok(outcome, f"functional check of {planned.system.name}")


def _check_arrivals(planned: Plan, run: Run, ticks: NDArray[np.uint64]) -> Report:
    parameters = planned.parameters()
    return check_arrivals(
        run.log,
        run.command_names,
        np.repeat(ticks, planned.gnrs_per_sample),
        periods={
            channel: parameters[name].period
            for name, layout in planned.placement.layouts.items()
            for channel in layout.channels
        },
        host_period=planned.host_parameters().period,
    )


def check_commands(planned: Plan, tier: str, log: NDArray[Any], command_names: Sequence[str]) -> Report:
    """Run the protocol check on the channels of one tier of a planned run."""
    layout = planned.placement.layouts[tier]
    pim = layout.tier.pim
    return check_protocol(
        log,
        command_names,
        layout.spec,
        channel=layout.channels,
        refresh=layout.tier.controller.refresh_kind is not None,
        unit_level=pim.unit_level if pim is not None else None,
        res_latency=pim.latency(pim.res_latency, layout.spec) if pim is not None else None,
        imm_latency=layout.spec.timing["nCWL"] if pim is not None and pim.immediates else None,
    )


def check_sums(planned: Plan, log: NDArray[Any], command_names: Sequence[str]) -> FunctionalReport:
    """Run the functional check on a command log of a planned run."""
    layouts = planned.placement.layouts.values()
    bursts = [layout.spec.burst_bytes for layout in layouts for _ in range(layout.tier.channels)]
    merges = {
        channel: layout.tier.pim is None or bool(layout.tier.pim.merge_level)
        for layout in layouts
        for channel in range(layout.first_channel, layout.first_channel + layout.tier.channels)
    }
    stacks = {
        channel: number
        for number, layout in enumerate(layouts)
        for channel in layout.channels
        if layout.tier.pim is not None and layout.tier.pim.stack_bytes_per_cycle > 0
    }
    homes = declare_homes(planned)
    return check_functional(
        log,
        command_names,
        trace=planned.whole(),
        embedding=planned.scheme,
        vector_bytes=planned.vector_bytes,
        scope=planned.scope,
        burst_bytes_of_channel=bursts,
        locate=homes,
        lut_rows=_lut_rows(planned.placement),
        merge=merges,
        stacks=stacks,
        pairs=planned.placement.pairs.members(),
        immediates=any(layout.tier.pim is not None and layout.tier.pim.immediates for layout in layouts),
        cache=_cache_rules(planned.placement, homes),
    )


def _cache_rules(placement: ModelPlacement, homes: Homes) -> CacheRules | None:
    """What the PEs' caches can hold, for every entry of the homes."""
    layout, cache = placement.pim_layout, placement.cache
    if layout is None or layout.tier.pim is None or cache.sets == 0:
        return None
    is_pair = homes.subtable_id == len(placement.subtables)
    table = np.where(is_pair, 0, homes.subtable_id)
    row = np.where(is_pair, placement.rows, placement.first_row[table]) + homes.row
    slots = [layout.shape(one.row_bytes).slot_bytes // layout.spec.burst_bytes for one in placement.subtables]
    part = np.where((cache.parts > 1) & ~is_pair, homes.burst // np.array(slots)[table], 0)
    depth = 2 * layout.tier.pim.queue_depth
    return CacheRules(
        sets=dict.fromkeys(layout.channels, cache.sets),
        ways=dict.fromkeys(layout.channels, cache.ways),
        slack=dict.fromkeys(layout.channels, depth),
        line=cache.line(row, 0) + part,
        kept=cache.keeps(table, row) & ~is_pair,
    )


def _demand_ok(report: Report, what: str) -> None:
    if not report.ok:
        first = report.violations[0] if report.violations else getattr(report, "first_mismatch", "")
        raise CheckError(f"{what}: {first}; this is a bug of heam_sim, please report it.")


def _lut_rows(placement: ModelPlacement) -> list[tuple[int, int]]:
    rows = [
        (table.id, row)
        for table in placement.subtables
        if placement.small[table.id] >= 0
        for row in range(table.rows)
    ]
    return rows[: placement.lut_rows]


def declare_homes(planned: Plan) -> Homes:
    """List every place where a row that the simulated part touches may be read."""
    placement, columns = planned.placement, []
    touched = _touched(planned)
    home, hot = placement.home, placement.hot_layout
    for table in placement.subtables:
        rows = touched.get(table.id, np.empty(0, np.int64))
        columns += _places(home, table, rows, placement.base[table.id] + rows)
        if hot is not None:
            if placement.hot_small[table.id] >= 0:
                slot = placement.hot_small[table.id] + rows
            else:
                slot = placement.hot.find(placement.first_row[table.id] + rows)
            columns += _places(hot, table, rows[slot >= 0], slot[slot >= 0])
        columns += _copies(placement, table, rows)
    columns += _pairs(planned)
    arrays = [np.concatenate(parts) for parts in zip(*columns, strict=True)]
    return Homes(*arrays)


def _pairs(planned: Plan) -> list[tuple[_Int, ...]]:
    """Every burst of the sums of pairs whose lookups both occur, as rows of a subtable behind all others."""
    placement, layout = planned.placement, planned.placement.hot_layout
    pairs, simulated = placement.pairs, planned.whole()
    if layout is None or not pairs.count:
        return []
    occurs = np.concatenate([simulated.indices[t] + pairs.base[t] for t in range(simulated.tables)])
    rows = np.flatnonzero(np.isin(pairs.first, occurs) & np.isin(pairs.second, occurs))
    table = Subtable(len(placement.subtables), "pairs", -1, "S", pairs.count, layout.vector_bytes)
    return _places(layout, table, rows, pairs.first_slot + rows)


def _touched(planned: Plan) -> dict[int, _Int]:
    found: dict[int, _Int] = {}
    simulated = planned.whole()
    for table in range(simulated.tables):
        for operand in planned.scheme.operands(table, simulated.indices[table], planned.placement.subtables):
            found[operand.subtable_id] = np.unique(operand.rows)
    return found


def _places(layout: TierLayout, table: Subtable, rows: _Int, number: _Int) -> list[tuple[_Int, ...]]:
    """Every burst of rows, by their numbers in their region."""
    shape = layout.shape(table.row_bytes)
    return [
        _spread(layout, table, rows, layout.locate(table.row_bytes, number, part), part, shape.slot_bytes)
        for part in range(shape.parts)
    ]


def _spread(
    layout: TierLayout, table: Subtable, rows: _Int, place: Located, part: int, slot_bytes: int
) -> tuple[_Int, ...]:
    """The bursts of one part of rows."""
    shape, size = layout.shape(table.row_bytes), layout.spec.burst_bytes
    bursts = -(-min(slot_bytes, shape.read_bytes - part * slot_bytes) // size)
    ordinal = np.tile(np.arange(bursts), rows.size)
    row, channel, bank, dram_row, column = (
        np.repeat(array.astype(np.int64), bursts)
        for array in (rows, place.channel, place.bank, place.row, place.column)
    )
    burst = ordinal + part * slot_bytes // size
    return np.full(burst.size, table.id), row, burst, channel, bank, dram_row, column + ordinal


def _copies(placement: ModelPlacement, table: Subtable, rows: _Int) -> list[tuple[_Int, ...]]:
    """Every burst of the copies at every PE."""
    layout = placement.pim_layout
    if layout is None or table.row_bytes not in layout.replicas:
        return []
    if placement.replicated and placement.small[table.id] >= 0:
        banked = placement.small[table.id] + rows >= placement.lut_rows
        kept, number = rows[banked], placement.replica_base[table.id] + rows[banked]
    else:
        slot = placement.spread.find(placement.first_row[table.id] + rows)
        kept, number = rows[slot >= 0], slot[slot >= 0]
    shape = layout.replicas[table.row_bytes].shape
    homes = []
    for channel in layout.channels:
        for unit in range(layout.units):
            where = np.full_like(number, channel), np.full_like(number, unit)
            for part in range(shape.pieces):
                place = layout.locate_replica(table.row_bytes, number, *where, part)
                homes.append(_spread(layout, table, kept, place, part, shape.slot_bytes))
    return homes
