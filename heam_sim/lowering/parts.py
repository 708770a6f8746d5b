# SPDX-License-Identifier: MIT
"""The places at which operands are read, collected part by part and then put into program order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heam_sim._core import (
    FLAG_CACHE,
    FLAG_CARRIED,
    FLAG_UNADDED,
    ITEM_DTYPES,
    ITEM_HOST_READ,
    ITEM_PIM_IMMEDIATE,
    ITEM_PIM_LUT,
    ITEM_PIM_READ,
    NO_UNIT,
    ROLE_LOAD,
    ROLE_MAC,
    ROLE_MUL,
)
from heam_sim.embedding.tables import ELEMENT_BYTES
from heam_sim.errors import ConfigError
from heam_sim.placement import Located, ModelPlacement, TierLayout

__all__ = ["ALL", "Index", "Parts", "chosen", "entries", "narrowed"]

_Int = NDArray[np.int64]
_Bool = NDArray[np.bool_]
#: Which of some lookups: their numbers, or the slice of all, which numpy need not gather.
Index = _Int | slice
ALL = slice(None)


def chosen(mask: _Bool) -> Index:
    """Return which entries are true."""
    return ALL if mask.all() else np.flatnonzero(mask)


def narrowed(which: Index, some: Index) -> Index:
    """Return the chosen ones among the lookups that `which` has chosen already."""
    if isinstance(some, slice):
        return which
    return some if isinstance(which, slice) else which[some]


def entries(values: _Int, at: Index) -> _Int | int:
    """Return ``values[at]``; one number if all values are the same."""
    if values.size and (values == values[0]).all():
        return int(values[0])
    return values[at]


@dataclass(frozen=True)
class _Block:
    """One part of the rows of one operand of some lookups, all of one size and in one tier."""

    operand: int
    which: Index
    kind: int
    first: int  # burst of the row that the part begins with
    fields: dict[str, _Int | int]
    layout: TierLayout
    rank: _Int | int  # which of the operand's parts it is


class Parts:
    """Where the operands of lookups are read.

    Parameters
    ----------
    placement
        Homes of all rows.
    table
        int64 (operands of a lookup, lookups): subtables, -1 where a lookup has fewer operands.
    global_row
        int64, like `table`: rows by their numbers over the whole model.
    meets
        bool (lookups,): the lookup's rows are multiplied with each other.
    """

    def __init__(self, placement: ModelPlacement, table: _Int, global_row: _Int, meets: _Bool) -> None:
        self.placement, self.table, self.global_row, self.meets = placement, table, global_row, meets
        self.width, self.size = table.shape
        self.counts = np.zeros((self.width + 1, self.size), np.int64)  # at last: immediates
        self.in_pim = np.zeros(table.shape, bool)
        self.slices = max(region.shape.slices for region in placement.home.regions.values())
        # Of the main operand, slice by slice.
        self.channel, self.unit, self.rank, self.carried = (
            np.zeros((self.slices, self.size), np.int64) for _ in range(4)
        )
        self.lut_bytes = self.pair_elements = 0
        self.shared = 0  # operands that need no instruction of their own
        self._blocks: list[_Block] = []

    def add(self, operand: int, which: Index, layout: TierLayout, size: int, places: list[Located]) -> None:
        """Read rows of one size, part by part: slices or pieces."""
        shape = layout.shape(size)
        rank: list[_Int | int] = list(range(len(places)))
        carried: list[_Int | int] = [0] * len(places)
        if shape.slices > 1:
            order, follows = _by_channel(np.stack([place.channel for place in places]))
            rank = list(order)
            if layout.tier.pim is not None and layout.tier.pim.delivery == "broadcast":
                carried = list(follows)
        for part, place in enumerate(places):
            self._add_part(
                operand, which, layout, size, part, place, rank[part], carried[part], shape.slot_bytes
            )
        if operand == self.width - 1:
            for part, place in enumerate(places[: self.slices]):
                self.channel[part, which] = place.channel
                self.unit[part, which] = place.unit
                if self.slices > 1:
                    self.rank[part, which] = rank[part]
                    self.carried[part, which] = carried[part]

    def add_slice(
        self, operand: int, which: Index, layout: TierLayout, size: int, part: int, place: Located
    ) -> None:
        """Read one slice of a whole row, where a slice of the lookup's main row is."""
        slot = layout.shape(size).slot_bytes
        moved = replace(place, column=place.column + part * slot // layout.spec.burst_bytes)
        rank, carried = self.rank[part, which], self.carried[part, which]
        self._add_part(operand, which, layout, size, part, moved, rank, carried, slot)

    def _add_part(
        self,
        operand: int,
        which: Index,
        layout: TierLayout,
        size: int,
        part: int,
        place: Located,
        rank: _Int | int,
        carried: _Int | int,
        slot_bytes: int,
    ) -> None:
        fields: dict[str, _Int | int] = {
            "channel": place.channel,
            "bank": place.bank,
            "row": place.row,
            "column": place.column,
            "bursts": layout.bursts(size, part),
            "flags": carried,
        }
        kind = ITEM_HOST_READ
        if layout.tier.pim is None:
            fields["line"] = place.line
        else:
            kind = ITEM_PIM_READ
            row, cache = self.global_row[operand, which], self.placement.cache
            fields["unit"] = place.unit
            fields["line"] = cache.line(row, part)
            if cache.sets:
                fields["flags"] = cache.keeps(self.table[operand, which], row) * FLAG_CACHE | carried
        first = part * slot_bytes // layout.spec.burst_bytes
        self._keep(_Block(operand, which, kind, first, fields, layout, rank))

    def add_lut(self, operand: int, which: Index, number: _Int) -> None:
        """Read rows of the LUT at the units of the main operands."""
        layout = self.placement.pim_layout
        if layout is None or not number.size:
            return
        sizes = np.array([layout.bursts(table.row_bytes) for table in self.placement.subtables], np.int64)
        bursts = entries(sizes, self.table[operand, which])
        fields: dict[str, _Int | int] = {
            "channel": self.channel[0, which],
            "unit": self.unit[0, which],
            "row": number,
            "bursts": bursts,
        }
        total = bursts * number.size if isinstance(bursts, int) else int(bursts.sum())
        self.lut_bytes += total * layout.spec.burst_bytes
        self._keep(_Block(operand, which, ITEM_PIM_LUT, 0, fields, layout, 0))

    def add_pairs(self, layout: TierLayout, which: _Int, place: Located, global_row: _Int) -> None:
        """Read sums of pairs in place of some lookups, by places and row numbers over the model."""
        pim = layout.tier.pim is not None
        fields: dict[str, _Int | int] = {
            "channel": place.channel,
            "bank": place.bank,
            "row": place.row,
            "column": place.column,
            "bursts": layout.bursts(layout.vector_bytes),
            "line": self.placement.cache.line(global_row, 0) if pim else place.line,
            "segment": 0,
        }
        if pim:
            fields["unit"] = place.unit
            self.pair_elements = which.size * layout.vector_bytes // ELEMENT_BYTES
        kind = ITEM_PIM_READ if pim else ITEM_HOST_READ
        self._keep(_Block(self.width - 1, which, kind, 0, fields, layout, 0))

    def add_immediates(self, layout: TierLayout, node: _Int, *, joined: bool) -> int:
        """Send what the host reads of a lookup to a PE, as one vector; returns the elements that it adds.

        Its rows stand together: all of them, the small ones or the main one.

        Parameters
        ----------
        layout
            The tier with the PEs.
        node
            int64 (lookups,): channel of the tier * units + unit, for every lookup.
        joined
            The rows are put together, not added or multiplied.
        """
        on_host = (self.table >= 0) & ~self.in_pim & (self.counts[:-1] > 0)
        which = np.flatnonzero(on_host.any(axis=0))
        if not which.size:
            return 0
        # Of n rows that are added or multiplied n - 1 pass the adder: the last one is what they go to.
        last_read = self.width - 1 - np.argmax(on_host[::-1], axis=0)
        for block in self._blocks:
            if block.kind == ITEM_HOST_READ:
                unadded = joined | (last_read[block.which] == block.operand)
                block.fields["flags"] = unadded * FLAG_UNADDED
        tables, burst = self.placement.subtables, layout.spec.burst_bytes
        begin = np.array([part.segment_bytes // burst for part in tables], np.int64)
        size = np.array([(part.covers_bytes or part.row_bytes) // burst for part in tables], np.int64)
        mine, table = on_host[:, which], self.table[:, which]
        first = np.where(mine, begin[table], int((begin + size).max())).min(axis=0)
        last = np.where(mine, begin[table] + size[table], 0).max(axis=0)
        channel, unit = np.divmod(node[which], layout.units)
        fields: dict[str, _Int | int] = {
            "channel": channel + layout.first_channel,
            "unit": unit,
            "row": np.where(mine, self.counts[:-1][:, which], 0).sum(axis=0),
            "bursts": last - first,
            "segment": first,
        }
        self._blocks.append(_Block(self.width, which, ITEM_PIM_IMMEDIATE, 0, fields, layout, 0))
        self.counts[self.width, which] = 1
        return int((last - first).sum()) * burst // ELEMENT_BYTES

    def _keep(self, block: _Block) -> None:
        self._blocks.append(block)
        self.counts[block.operand, block.which] += 1
        self.in_pim[block.operand, block.which] = block.kind != ITEM_HOST_READ

    def in_tier(self, layout: TierLayout) -> _Bool:
        """Which lookups have their main row in a tier."""
        number = self.channel[0] - layout.first_channel
        inside: _Bool = (number >= 0) & (number < layout.tier.channels)
        return inside

    # --- into program order

    def fill(self, slot: _Int) -> tuple[dict[str, NDArray[Any]], _Int]:
        """Return the work arrays and where each lookup's items end."""
        lengths = self.counts.sum(axis=0)
        ends = np.cumsum(lengths)
        size = int(ends[-1]) if ends.size else 0
        starts = ends - lengths
        items: dict[str, NDArray[Any]] = {name: np.zeros(size, dtype) for name, dtype in ITEM_DTYPES.items()}
        items["unit"][:] = NO_UNIT
        items["slot"][:] = np.repeat(slot, entries(lengths, ALL))
        positions = self._positions(starts)
        for block, at in zip(self._blocks, positions, strict=True):
            for name, values in block.fields.items():
                _put(items[name], at, values)
            _put(items["kind"], at, block.kind)
            if block.kind != ITEM_HOST_READ and "segment" not in block.fields:
                self._say_where_it_adds(items, at, block)
        self._roles(items, starts, lengths - self.counts[self.width])
        layout = self.placement.pim_layout
        if layout is not None and layout.tier.pim is not None and layout.tier.pim.instruction_per == "lookup":
            self.shared = _share_instructions(items, starts)
        return items, ends

    def _positions(self, starts: _Int) -> list[_Int]:
        """Where the items of every block go.

        The parts of an operand stand together, except that slices of rows that are multiplied stand with
        the same slices of the other operands.
        """
        first = [starts]
        for counts in self.counts[:-1]:
            first.append(first[-1] + counts)
        # An immediate follows the host's reads; a main row that a PE reads comes behind it.
        early = (self.counts[self.width] > 0) & self.in_pim[self.width - 1]
        if early.any():
            first[self.width] = np.where(early, first[self.width - 1], first[self.width])
            first[self.width - 1] = first[self.width - 1] + early
        if self.slices == 1 or not self.meets.any():
            return [first[block.operand][block.which] + block.rank for block in self._blocks]
        # Lookups that do not meet have a single operand then: all the same.
        there = self.counts > 0
        operands, member = there.sum(axis=0), np.cumsum(there, axis=0) - 1
        return [
            starts[block.which] + block.rank * operands[block.which] + member[block.operand, block.which]
            for block in self._blocks
        ]

    def _say_where_it_adds(self, items: dict[str, NDArray[Any]], at: _Int, block: _Block) -> None:
        segment, covers, alu = self._of_tables(block.layout)
        table = self.table[block.operand, block.which]
        whole = covers > 0  # a core is part of every burst of the vector
        _put(items["segment"], at, entries(np.where(whole, 0, segment + block.first), table))
        _put(items["covers"], at, entries(covers, table))
        _put(items["alu"], at, entries(alu, table))

    def _of_tables(self, layout: TierLayout) -> tuple[_Int, _Int, _Int]:
        """First burst, bursts and ALU cycles for each burst of the vectors' parts, by subtable."""
        tables, burst, pim = self.placement.subtables, layout.spec.burst_bytes, layout.tier.pim
        assert pim is not None
        segment = np.array([part.segment_bytes // burst for part in tables], np.int64)
        covers = np.array([part.covers_bytes // burst for part in tables], np.int64)
        lanes = max(pim.alu_bytes_per_cycle // 4, 1)
        read = [-(-layout.shape(part.row_bytes).read_bytes // burst) for part in tables]
        alu = [-(-part.macs // (lanes * bursts)) for part, bursts in zip(tables, read, strict=True)]
        if max(alu) > np.iinfo(np.uint16).max:
            raise ConfigError(
                f"embedding: a row needs {max(alu)} ALU cycles for each burst, more than is counted; lower "
                "the rank or widen pim.alu_bytes_per_cycle."
            )
        return segment, covers, np.array(alu, np.int64)

    def _roles(self, items: dict[str, NDArray[Any]], starts: _Int, lengths: _Int) -> None:
        """LOAD first, MAC last and MUL between them, in every group of rows that are multiplied."""
        if not self.meets.any():
            return
        meets = chosen(self.meets)
        first, length = starts[meets], lengths[meets]
        if length.max() > 2:
            items["role"][np.repeat(first, length) + _ordinals(length)] = ROLE_MUL
        if self.slices > 1:
            groups = self.counts[self.width - 1, meets]
            length = np.repeat(length // groups, groups)
            first = np.repeat(first, groups) + length * _ordinals(groups)
        items["role"][first] = ROLE_LOAD
        items["role"][first + length - 1] = ROLE_MAC


def _share_instructions(items: dict[str, NDArray[Any]], starts: _Int) -> int:
    """Let operands of a lookup that follow each other to one PE share an instruction; returns how many do."""
    at_pe = (items["kind"] == ITEM_PIM_READ) | (items["kind"] == ITEM_PIM_LUT)
    follows = at_pe[1:] & at_pe[:-1]
    for name in ("channel", "unit"):
        follows &= items[name][1:] == items[name][:-1]
    begins = np.zeros(at_pe.size + 1, np.bool_)
    begins[starts] = True
    follows &= ~begins[1:-1]
    items["flags"][1:][follows] |= FLAG_CARRIED
    return int(np.count_nonzero(follows))


def _put(to: NDArray[Any], at: _Int, values: _Int | int) -> None:
    """Write into an array of zeros."""
    if not isinstance(values, int) or values:
        to[at] = values


def _by_channel(channel: _Int) -> tuple[_Int, _Int]:
    """Order of every slice when those of a channel stand together, and whether it follows one of its own.

    All arrays are (slices, lookups).
    """
    order = np.argsort(channel, axis=0, kind="stable")
    rank, carried = np.empty_like(order), np.empty_like(order)
    np.put_along_axis(rank, order, np.arange(len(channel))[:, None], axis=0)
    sorted_channel = np.take_along_axis(channel, order, axis=0)
    follows = np.zeros_like(order)
    follows[1:] = (sorted_channel[1:] == sorted_channel[:-1]) * FLAG_CARRIED
    np.put_along_axis(carried, order, follows, axis=0)
    return rank, carried


def _ordinals(counts: _Int) -> _Int:
    """0, 1, ..., count - 1 for every count, one after the other."""
    ends = np.cumsum(counts)
    total = int(ends[-1]) if ends.size else 0
    ordinals: _Int = np.arange(total) - np.repeat(ends - counts, counts)
    return ordinals
