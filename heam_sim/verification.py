# SPDX-License-Identifier: MIT
"""Hands a run's command log to the independent checkers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from heam_sim.check import Homes, Report, check_functional, check_protocol
from heam_sim.errors import CheckError
from heam_sim.placement import Located, ModelPlacement, TierLayout

if TYPE_CHECKING:
    from heam_sim.simulation import Plan, Run

__all__ = ["verify"]

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
        span = range(layout.first_channel, layout.first_channel + layout.tier.channels)
        report = check_protocol(
            run.log,
            run.command_names,
            layout.spec,
            channel=span,
            refresh=layout.tier.controller.refresh_kind is not None,
            unit_level=pim.unit_level if pim is not None else None,
            res_latency=pim.latency(pim.res_latency, layout.spec) if pim is not None else None,
        )
        _demand_ok(report, f"protocol check of {planned.system.name}, tier {name}")
    layouts = planned.placement.layouts.values()
    bursts = [layout.spec.burst_bytes for layout in layouts for _ in range(layout.tier.channels)]
    merges = {
        channel: layout.tier.pim is None or bool(layout.tier.pim.merge_level)
        for layout in layouts
        for channel in range(layout.first_channel, layout.first_channel + layout.tier.channels)
    }
    outcome = check_functional(
        run.log,
        run.command_names,
        trace=planned.simulated,
        embedding=planned.scheme,
        vector_bytes=planned.vector_bytes,
        scope=planned.scope,
        burst_bytes_of_channel=bursts,
        locate=declare_homes(planned),
        lut_rows=_lut_rows(planned.placement),
        merge=merges,
    )
    _demand_ok(outcome, f"functional check of {planned.system.name}")


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
    for table in placement.subtables:
        rows = touched.get(table.id, np.empty(0, np.int64))
        home = placement.home
        columns.append(
            _spread(home, table.id, rows, home.locate((placement.base[table.id] + rows) * home.vector_bytes))
        )
        columns += _hot_homes(placement, table.id, rows)
        columns += _replica_homes(placement, table.id, rows)
    arrays = [np.concatenate(parts) for parts in zip(*columns, strict=True)]
    return Homes(*arrays)


def _touched(planned: Plan) -> dict[int, _Int]:
    found: dict[int, _Int] = {}
    for table in range(planned.simulated.tables):
        for operand in planned.scheme.operands(
            table, planned.simulated.indices[table], planned.placement.subtables
        ):
            found[operand.subtable_id] = np.unique(operand.rows)
    return found


def _spread(layout: TierLayout, table: int, rows: _Int, place: Located) -> tuple[_Int, ...]:
    bursts = layout.vector_bursts
    burst = np.tile(np.arange(bursts), rows.size)
    row, channel, bank, dram_row, column = (
        np.repeat(array, bursts) for array in (rows, place.channel, place.bank, place.row, place.column)
    )
    return np.full(burst.size, table), row, burst, channel, bank, dram_row, column + burst


def _hot_homes(placement: ModelPlacement, table: int, rows: _Int) -> list[tuple[_Int, ...]]:
    layout = placement.hot_layout
    if layout is None:
        return []
    if placement.hot_r[table] >= 0:
        return [
            _spread(layout, table, rows, layout.locate((placement.hot_r[table] + rows) * layout.vector_bytes))
        ]
    at = placement.find_hot(placement.first_row[table] + rows)
    hot, kept = at[at >= 0], rows[at >= 0]
    return [_spread(layout, table, kept, layout.locate((placement.hot_first + hot) * layout.vector_bytes))]


def _replica_homes(placement: ModelPlacement, table: int, rows: _Int) -> list[tuple[_Int, ...]]:
    layout = placement.pim_layout
    if layout is None or not placement.replicated or placement.small[table] < 0:
        return []
    number = placement.small[table] + rows - placement.lut_rows
    kept, number = rows[number >= 0], number[number >= 0]
    homes = []
    for channel in range(layout.first_channel, layout.first_channel + layout.tier.channels):
        for unit in range(layout.units):
            place = layout.locate_replica(number, np.full_like(number, channel), np.full_like(number, unit))
            homes.append(_spread(layout, table, kept, place))
    return homes
