# SPDX-License-Identifier: MIT
"""Lowering: lookups of a piece of a trace -> operands with their places, in program order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from heam_sim._core import FLAG_CARRIED
from heam_sim.embedding import EmbeddingScheme, composes_sums, rows_meet
from heam_sim.lowering.arithmetic import Work, count_work, products_of_sums
from heam_sim.lowering.packets import bags_in_order
from heam_sim.lowering.parts import Parts
from heam_sim.placement import Located, ModelPlacement, TierLayout, dispatch
from heam_sim.trace import LookupTrace

__all__ = ["Lowered", "Scope", "lower"]

Scope = Literal["bag", "sample"]
_Int = NDArray[np.int64]


@dataclass(frozen=True)
class Lowered:
    """Work arrays of some bags.

    Attributes
    ----------
    items
        The arrays of :data:`heam_sim._core.ITEM_DTYPES`.
    offsets
        uint64 (gnrs + 1,).
    samples, lookups
        Work that the bags stand for.
    cold_lookups, lut_reads, replica_reads
        Lookups whose main row is not in the hot tier (0 without one), operands served by a LUT, and small
        operands served by copies in banks.
    spread_reads
        Operands that went to the least loaded PE, because every one has a copy of their row.
    work
        Additions and multiplications.
    """

    items: dict[str, NDArray[Any]]
    offsets: NDArray[np.uint64]
    samples: int
    lookups: int
    cold_lookups: int
    lut_reads: int
    replica_reads: int
    spread_reads: int
    work: Work

    @property
    def carried(self) -> int:
        """Operands that came to their PE with the instruction of another PE's."""
        return int(np.count_nonzero(self.items["flags"] & FLAG_CARRIED))


@dataclass(frozen=True)
class _Lookups:
    """Lookups in program order.

    `table` and `row` are (operands of a lookup, lookups), the main operand last; -1 where a lookup has fewer.
    """

    table: _Int
    row: _Int
    slot: _Int
    gnr_offsets: _Int


def _program_order(trace: LookupTrace, scope: Scope, packet_samples: int) -> tuple[list[_Int], _Int, _Int]:
    """Positions of every table's lookups when bag follows bag, the GnRs' offsets, the ordinals in them."""
    lengths = np.stack([np.diff(offsets) for offsets in trace.offsets], axis=1)
    order: _Int | slice = slice(None)
    if scope == "bag" and packet_samples > 1:
        order = bags_in_order(
            np.arange(lengths.size),
            samples=trace.samples,
            tables=trace.tables,
            packet_samples=packet_samples,
        )
    starts = np.concatenate(([0], np.cumsum(lengths.ravel()[order])))
    bag_starts: _Int = np.empty(lengths.size, np.int64)
    bag_starts[order] = starts[:-1]
    bag_starts = bag_starts.reshape(lengths.shape)
    positions = []
    for table in range(trace.tables):
        shift = bag_starts[:, table] - trace.offsets[table][:-1]
        positions.append(np.repeat(shift, lengths[:, table]) + np.arange(trace.indices[table].size))
    offsets = starts if scope == "bag" else starts[:: trace.tables]
    slot = np.arange(starts[-1]) - np.repeat(offsets[:-1], np.diff(offsets))
    return positions, offsets, slot


def _gather_lookups(
    trace: LookupTrace, scheme: EmbeddingScheme, placement: ModelPlacement, scope: Scope
) -> _Lookups:
    packet = placement.system.placement.packet_samples
    positions, offsets, slot = _program_order(trace, scope, packet)
    read = [scheme.operands(t, trace.indices[t], placement.subtables) for t in range(trace.tables)]
    width = max(len(operands) for operands in read)
    tables, rows = (np.full((width, slot.size), -1, np.int64) for _ in range(2))
    for table, operands in enumerate(read):
        for place, operand in enumerate(operands, start=width - len(operands)):
            tables[place, positions[table]] = operand.subtable_id
            rows[place, positions[table]] = operand.rows
    return _Lookups(tables, rows, slot, offsets)


class _Builder:
    """Decides where every operand is read, then fills the work arrays."""

    def __init__(
        self, placement: ModelPlacement, lookups: _Lookups, scheme: EmbeddingScheme, window_of: _Int
    ) -> None:
        self.placement = placement
        self.lookups = lookups
        self.width = len(lookups.table)
        self.has = lookups.table >= 0
        self.global_row = np.where(self.has, placement.first_row[lookups.table] + lookups.row, -1)
        self.window_of = window_of
        # Lookups whose rows must meet: those of several rows that are multiplied.
        self.meets = np.full(lookups.slot.size, rows_meet(scheme) and self.width > 1)
        if self.width > 1:
            self.meets &= self.has[self.width - 2]
        self.parts = Parts(placement, lookups.table, self.global_row, self.meets)
        sizes = np.array([table.row_bytes for table in placement.subtables], np.int64)
        self.size = np.where(self.has, sizes[lookups.table], -1)
        self.luts = self.replicas = self.spread = 0

    def build(self) -> tuple[dict[str, NDArray[Any]], NDArray[np.uint64], int]:
        """Return the work arrays, the bags' offsets and the number of cold lookups."""
        chosen = self._dispatched()
        cold = self._main(chosen[self.width - 1])
        for operand in range(self.width - 1):
            self._small(operand, chosen[operand])
        items, ends = self.parts.fill(self.lookups.slot)
        offsets = np.concatenate(([0], ends))[self.lookups.gnr_offsets].astype(np.uint64)
        return items, offsets, cold

    # --- which operands go to which copy

    def _dispatched(self) -> _Int:
        """The node (channel x units + unit) of operands with a copy everywhere, -1 for the others."""
        place, count = self.placement, self.lookups.slot.size
        chosen = np.full((self.width, count), -1, np.int64)
        layout = place.pim_layout
        if layout is None or not place.spread.rows.size:
            return chosen
        free = place.spread.find(self.global_row) >= 0
        # Small rows that go with their main row are not counted on their own.
        counted = self.has.copy()
        if place.replicated:
            counted[:-1] = False
        node = np.full((self.width, count), -1, np.int64)
        for operand in range(self.width):
            fixed = np.flatnonzero(counted[operand] & ~free[operand])
            for layout_of, which, located in self._home_places(operand, fixed):
                if layout_of is layout:
                    channel = located[0].channel - layout.first_channel
                    node[operand, which] = channel * layout.units + located[0].unit
        # In program order; operands elsewhere (cold ones) load no node.
        lookup, which_one = np.nonzero((counted & (free | (node >= 0))).T)
        nodes = layout.tier.channels * layout.units
        result = dispatch(node[which_one, lookup], self.window_of[lookup], nodes)
        spread = free[which_one, lookup]
        chosen[which_one[spread], lookup[spread]] = result[spread]
        self.spread = int(spread.sum())
        return chosen

    # --- places

    def _home_places(self, operand: int, which: _Int) -> Iterator[tuple[TierLayout, _Int, list[Located]]]:
        """Ordinary places of operands: in the hot tier if they have a copy there, else at home."""
        look, place = self.lookups, self.placement
        table, row = look.table[operand, which], look.row[operand, which]
        slot = np.full(which.size, -1, np.int64)
        hot = place.hot_layout
        if hot is not None:
            if operand == self.width - 1:
                slot = place.hot.find(self.global_row[operand, which])
            else:
                first = place.hot_small[table]
                slot = np.where(first >= 0, first + row, -1)
        number = place.base[table] + row
        for layout, mine, numbers in ((hot, slot >= 0, slot), (place.home, slot < 0, number)):
            if layout is None or not mine.any():
                continue
            for size in np.unique(self.size[operand, which[mine]]).tolist():
                some = mine & (self.size[operand, which] == size)
                parts = range(layout.shape(size).parts)
                yield layout, which[some], [layout.locate(size, numbers[some], part) for part in parts]

    def _copies(self, operand: int, which: _Int, number: _Int, channel: _Int, unit: _Int) -> None:
        """Read copies at given PEs; `number` counts among the copies of a size."""
        layout = self.placement.pim_layout
        assert layout is not None
        for size in np.unique(self.size[operand, which]).tolist():
            some = self.size[operand, which] == size
            where = number[some], channel[some], unit[some]
            pieces = range(layout.replicas[size].shape.pieces)
            places = [layout.locate_replica(size, *where, part) for part in pieces]
            self.parts.add(operand, which[some], layout, size, places)

    def _copies_of_slices(self, operand: int, which: _Int, number: _Int) -> None:
        """Read a slice of a copy wherever a slice of the main row is."""
        layout, parts = self.placement.pim_layout, self.parts
        assert layout is not None
        for size in np.unique(self.size[operand, which]).tolist():
            some = self.size[operand, which] == size
            mine = which[some]
            for part in range(layout.shape(size).slices):
                place = layout.locate_replica(
                    size, number[some], parts.channel[part, mine], parts.unit[part, mine]
                )
                parts.add_slice(operand, mine, layout, size, part, place)

    def _read_at_home(self, operand: int, which: _Int) -> None:
        for layout, some, places in self._home_places(operand, which):
            self.parts.add(operand, some, layout, int(self.size[operand, some[0]]), places)

    def _read_spread(self, operand: int, which: _Int, node: _Int) -> None:
        layout = self.placement.pim_layout
        if layout is None or not which.size:
            return
        channel, unit = np.divmod(node[which], layout.units)
        number = self.placement.spread.find(self.global_row[operand, which])
        self._copies(operand, which, number, channel + layout.first_channel, unit)

    def _main(self, node: _Int) -> int:
        """Place the main operands; returns how many are cold."""
        operand = self.width - 1
        self._read_spread(operand, np.flatnonzero(node >= 0), node)
        self._read_at_home(operand, np.flatnonzero(node < 0))
        hot = self.placement.hot_layout
        return 0 if hot is None else int((~self.parts.in_tier(hot)).sum())

    def _small(self, operand: int, node: _Int) -> None:
        """Place the small operands of one position."""
        has, place = self.has[operand], self.placement
        if not place.replicated:
            self._read_spread(operand, np.flatnonzero(has & (node >= 0)), node)
            self._read_at_home(operand, np.flatnonzero(has & (node < 0)))
            return
        at_pe = self.parts.in_pim[self.width - 1]
        self._read_at_home(operand, np.flatnonzero(has & ~at_pe))
        local = np.flatnonzero(has & at_pe)
        table, row = self.lookups.table[operand, local], self.lookups.row[operand, local]
        number = place.small[table] + row
        in_lut = number < place.lut_rows
        self.parts.add_lut(operand, local[in_lut], number[in_lut])
        banked = local[~in_lut]
        copy = (place.replica_base[table] + row)[~in_lut]
        self.luts += int(in_lut.sum())
        self.replicas += banked.size
        if self.parts.slices > 1:
            self._copies_of_slices(operand, banked, copy)
        else:
            self._copies(operand, banked, copy, self.parts.channel[0, banked], self.parts.unit[0, banked])


def lower(
    trace: LookupTrace,
    *,
    scheme: EmbeddingScheme,
    placement: ModelPlacement,
    scope: Scope,
    first_gnr: int = 0,
) -> Lowered:
    """Turn the lookups of (a piece of) a trace into work arrays.

    Parameters
    ----------
    trace
        What to simulate.
    scheme
        The embedding.
    placement
        Homes of all rows.
    scope
        ``"bag"``: a GnR per sample and table; ``"sample"``: per sample.
    first_gnr
        GnRs of the trace before this piece; with copies at every PE, a multiple of the dispatch window, and
        with packets a piece must begin with one.
    """
    lookups = _gather_lookups(trace, scheme, placement, scope)
    gnr = np.repeat(np.arange(lookups.gnr_offsets.size - 1), np.diff(lookups.gnr_offsets))
    window = placement.system.dispatch_window
    builder = _Builder(placement, lookups, scheme, (gnr + first_gnr) // window)
    items, offsets, cold = builder.build()
    work = count_work(
        placement,
        lookups.table,
        builder.parts.in_pim,
        builder.meets,
        scheme.compose,
        weighted=trace.weights is not None,
        lut_bytes=builder.parts.lut_bytes,
    )
    if composes_sums(scheme):
        work += products_of_sums(trace, placement)
    return Lowered(
        items,
        offsets,
        trace.samples,
        int(lookups.slot.size),
        cold,
        builder.luts,
        builder.replicas,
        builder.spread,
        work,
    )
