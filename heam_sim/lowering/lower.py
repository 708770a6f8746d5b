# SPDX-License-Identifier: MIT
"""Lowering: lookups of a piece of a trace -> operands with their places, in program order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heam_sim._core import FLAG_CARRIED
from heam_sim.embedding import EmbeddingScheme, composes_sums, rows_meet
from heam_sim.lowering.arithmetic import Work, count_work, products_of_sums
from heam_sim.lowering.gather import Lookups
from heam_sim.lowering.parts import ALL, Index, Parts, chosen, narrowed, of_tables
from heam_sim.placement import Located, ModelPlacement, TierLayout, dispatch

__all__ = ["Lowered", "lower"]

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
    pair_reads
        Sums of two lookups that were read in place of both.
    shared
        Operands that share the instruction of the one before them.
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
    pair_reads: int
    shared: int
    work: Work

    @property
    def carried(self) -> int:
        """Operands that came to their PE with the instruction of another PE's."""
        return int(np.count_nonzero(self.items["flags"] & FLAG_CARRIED)) - self.shared


def _take_pairs(placement: ModelPlacement, lookups: Lookups) -> tuple[Lookups, _Int, _Int]:
    """Take out lookups that sums of pairs serve; returns also the earlier one of each pair, and the pair."""
    nothing = np.empty(0, np.int64)
    if not lookups.number.size:
        return lookups, nothing, nothing
    first, second, pair = placement.pairs.match(lookups.number, lookups.gnr())
    table, global_row = lookups.table.copy(), lookups.global_row.copy()
    for gone in (first, second):
        table[:, gone] = global_row[:, gone] = -1
    complete = lookups.complete and not pair.size
    return replace(lookups, table=table, global_row=global_row, complete=complete), first, pair


class _Builder:
    """Decides where every operand is read, then fills the work arrays."""

    def __init__(
        self,
        placement: ModelPlacement,
        lookups: Lookups,
        scheme: EmbeddingScheme,
        first_gnr: int,
        pairs: tuple[_Int, _Int],
    ) -> None:
        self.placement = placement
        self.lookups = lookups
        self.width = len(lookups.table)
        self.has = np.ones(lookups.table.shape, bool) if lookups.complete else lookups.table >= 0
        self.first_gnr = first_gnr
        self.pairs = pairs
        self.joined = scheme.compose == "concatenate" or composes_sums(scheme)
        # Lookups whose rows must meet: those of several rows that are multiplied.
        self.meets = np.full(lookups.count, rows_meet(scheme) and self.width > 1)
        if self.width > 1:
            self.meets &= self.has[self.width - 2]
        self.parts = Parts(placement, lookups.table, lookups.global_row, self.has, self.meets)
        self.sizes = np.array([table.row_bytes for table in placement.subtables], np.int64)
        self.luts = self.replicas = self.spread = self.sent_elements = 0

    def build(self) -> tuple[dict[str, NDArray[Any]], NDArray[np.uint64], int]:
        """Return the work arrays, the bags' offsets and the number of cold lookups."""
        spread = self._dispatched()
        cold = self._main(spread)
        self._read_pairs()
        for operand in range(self.width - 1):
            self._small(operand, spread)
        self._send()
        items, starts = self.parts.fill(self.lookups.slot)
        return items, starts.before(self.lookups.gnr_offsets).view(np.uint64), cold

    # --- which operands go to which copy

    def _dispatched(self) -> _Int | None:
        """The node (channel x units + unit) of operands with a copy everywhere, -1 for the others."""
        place, count = self.placement, self.lookups.count
        layout = place.pim_layout
        if layout is None or not place.spread.rows.size:
            return None
        result = np.full((self.width, count), -1, np.int64)
        free = place.spread.find(self.lookups.global_row) >= 0
        # Small rows that go with their main row are not counted on their own.
        counted = self.has.copy()
        if place.replicated:
            counted[:-1] = False
        node = np.full((self.width, count), -1, np.int64)
        for operand in range(self.width):
            fixed = np.flatnonzero(counted[operand] & ~free[operand])
            for layout_of, _, which, located in self._home_places(operand, fixed):
                if layout_of is layout:
                    channel = located[0].channel.astype(np.int64) - layout.first_channel
                    node[operand, which] = channel * layout.units + located[0].unit
        # In program order; operands elsewhere (cold ones) load no node.
        lookup, which_one = np.nonzero((counted & (free | (node >= 0))).T)
        nodes = layout.tier.channels * layout.units
        window = (self.lookups.gnr()[lookup] + self.first_gnr) // place.system.dispatch_window
        sent = dispatch(node[which_one, lookup], window, nodes)
        spread = free[which_one, lookup]
        result[which_one[spread], lookup[spread]] = sent[spread]
        self.spread = int(spread.sum())
        return result

    # --- places

    def _by_size(self, operand: int, which: Index) -> Iterator[tuple[int, Index]]:
        """Row sizes of some operands, and which of them have each."""
        if not (self.lookups.count if isinstance(which, slice) else which.size):
            return
        sizes = of_tables(self.sizes, self.lookups.table[operand], which)
        if isinstance(sizes, int):
            yield sizes, ALL
            return
        for size in np.unique(self.sizes).tolist():
            mine = sizes == size
            if mine.any():
                yield size, chosen(mine)

    def _numbered(self, firsts: _Int, operand: int, which: Index) -> _Int:
        """Numbers of rows that count from a given number in each subtable."""
        shift = of_tables(firsts - self.placement.first_row, self.lookups.table[operand], which)
        rows: _Int = self.lookups.global_row[operand][which]
        return rows if isinstance(shift, int) and shift == 0 else rows + shift

    def _home_places(
        self, operand: int, which: Index
    ) -> Iterator[tuple[TierLayout, int, Index, list[Located]]]:
        """Ordinary places of operands, size by size: in the hot tier if it has a copy, else at home."""
        place = self.placement
        if place.hot_layout is not None and (operand == self.width - 1 or place.hot_small.max() >= 0):
            slot = self._hot_slots(operand, which)
            hot = slot >= 0
            there = chosen(hot)
            yield from self._located(place.hot_layout, operand, narrowed(which, there), slot[there])
            which = narrowed(which, chosen(~hot))
        number = self._numbered(place.base, operand, which)
        yield from self._located(place.home, operand, which, number)

    def _hot_slots(self, operand: int, which: Index) -> _Int:
        """Places of rows in the hot tier, -1 for those that are not there."""
        place = self.placement
        if operand == self.width - 1:
            return place.hot.find(self.lookups.global_row[operand][which])
        first = place.hot_small[self.lookups.table[operand][which]]
        return np.where(first >= 0, self._numbered(place.hot_small, operand, which), -1)

    def _located(
        self, layout: TierLayout, operand: int, which: Index, number: _Int
    ) -> Iterator[tuple[TierLayout, int, Index, list[Located]]]:
        for size, some in self._by_size(operand, which):
            parts = range(layout.shape(size).parts)
            places = [layout.locate(size, number[some], part) for part in parts]
            yield layout, size, narrowed(which, some), places

    def _copies(self, operand: int, which: Index, number: _Int, channel: _Int, unit: _Int) -> None:
        """Read copies at given PEs; `number` counts among the copies of a size."""
        layout = self.placement.pim_layout
        assert layout is not None
        for size, some in self._by_size(operand, which):
            where = number[some], channel[some], unit[some]
            pieces = range(layout.replicas[size].shape.pieces)
            places = [layout.locate_replica(size, *where, part) for part in pieces]
            self.parts.add(operand, narrowed(which, some), layout, size, places)

    def _copies_of_slices(self, operand: int, which: Index, number: _Int) -> None:
        """Read a slice of a copy wherever a slice of the main row is."""
        layout, parts = self.placement.pim_layout, self.parts
        assert layout is not None
        for size, some in self._by_size(operand, which):
            mine = narrowed(which, some)
            for part in range(layout.shape(size).slices):
                place = layout.locate_replica(
                    size, number[some], parts.channel[part][mine], parts.unit[part][mine]
                )
                parts.add_slice(operand, mine, layout, size, part, place)

    def _read_at_home(self, operand: int, which: Index) -> None:
        for layout, size, some, places in self._home_places(operand, which):
            self.parts.add(operand, some, layout, size, places)

    def _read_anywhere(self, operand: int, has: NDArray[np.bool_], spread: _Int | None) -> None:
        """Read copies at the chosen nodes, and the other operands at home."""
        layout = self.placement.pim_layout
        if spread is None or layout is None:
            self._read_at_home(operand, chosen(has))
            return
        which = np.flatnonzero(has & (spread[operand] >= 0))
        channel, unit = np.divmod(spread[operand, which], layout.units)
        number = self.placement.spread.find(self.lookups.global_row[operand, which])
        self._copies(operand, which, number, channel + layout.first_channel, unit)
        self._read_at_home(operand, np.flatnonzero(has & (spread[operand] < 0)))

    def _main(self, spread: _Int | None) -> int:
        """Place the main operands; returns how many are cold."""
        operand = self.width - 1
        self._read_anywhere(operand, self.has[operand], spread)
        hot = self.placement.hot_layout
        return 0 if hot is None else int(np.count_nonzero(self.has[operand] & ~self.parts.in_tier(hot)))

    def _read_pairs(self) -> None:
        """Read sums of two lookups each."""
        layout, (which, pair) = self.placement.hot_layout, self.pairs
        if layout is not None and which.size:
            number = self.placement.pairs.first_slot + pair
            place = layout.locate(layout.vector_bytes, number)
            self.parts.add_pairs(layout, which, place, self.placement.rows + pair)

    def _send(self) -> None:
        """Send what the host reads to PEs: all of a GnR to one in the channel that reads out its sum."""
        layout = self.placement.pim_layout
        if layout is None or layout.tier.pim is None or not layout.tier.pim.immediates:
            return
        turn, channel = np.divmod(self.lookups.gnr() + self.first_gnr, layout.tier.channels)
        node = channel * layout.units + turn % layout.units
        self.sent_elements = self.parts.add_immediates(layout, node, joined=self.joined)

    def _small(self, operand: int, spread: _Int | None) -> None:
        """Place the small operands of one position."""
        has, place = self.has[operand], self.placement
        if not place.replicated:
            self._read_anywhere(operand, has, spread)
            return
        at_pe = self.parts.in_pim[self.width - 1]
        self._read_at_home(operand, np.flatnonzero(has & ~at_pe))
        local = chosen(has & at_pe)
        number = self._numbered(place.small, operand, local)
        if place.lut_rows == place.small_rows:
            self._read_luts(operand, local, number)
            return
        in_lut = number < place.lut_rows
        held, outside = chosen(in_lut), chosen(~in_lut)
        self._read_luts(operand, narrowed(local, held), number[held])
        banked = narrowed(local, outside)
        copy = self._numbered(place.replica_base, operand, banked)
        self.replicas += copy.size
        if self.parts.slices > 1:
            self._copies_of_slices(operand, banked, copy)
        else:
            self._copies(operand, banked, copy, self.parts.channel[0][banked], self.parts.unit[0][banked])

    def _read_luts(self, operand: int, which: Index, number: _Int) -> None:
        self.parts.add_lut(operand, which, number)
        self.luts += number.size


def lower(
    lookups: Lookups, *, scheme: EmbeddingScheme, placement: ModelPlacement, first_gnr: int = 0
) -> Lowered:
    """Turn lookups into work arrays.

    Parameters
    ----------
    lookups
        What to simulate.
    scheme
        The embedding.
    placement
        Homes of all rows.
    first_gnr
        GnRs of the trace before these; with copies at every PE, a multiple of the dispatch window.
    """
    lookups, *pairs = _take_pairs(placement, lookups)
    first, pair = pairs
    builder = _Builder(placement, lookups, scheme, first_gnr, (first, pair))
    items, offsets, cold = builder.build()
    work = count_work(
        placement,
        lookups.table,
        builder.has,
        builder.parts.in_pim,
        builder.meets,
        scheme.compose,
        weighted=lookups.weighted,
        lut_bytes=builder.parts.lut_bytes,
    )
    work += Work(pe_adds=builder.sent_elements + builder.parts.pair_elements)
    if composes_sums(scheme):
        work += products_of_sums(lookups.table, lookups.gnr_offsets, placement)
    return Lowered(
        items,
        offsets,
        lookups.samples,
        lookups.count,
        cold,
        builder.luts,
        builder.replicas,
        builder.spread,
        pair.size,
        builder.parts.shared,
        work,
    )
