# SPDX-License-Identifier: MIT
"""The places at which operands are read, collected part by part and then put into program order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
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
    put_block,
)
from heam_sim.embedding.tables import ELEMENT_BYTES
from heam_sim.errors import ConfigError
from heam_sim.lowering.starts import Starts
from heam_sim.placement import Located, ModelPlacement, TierLayout

__all__ = ["ALL", "Index", "Parts", "chosen", "narrowed", "of_tables"]

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


def of_tables(values: _Int, table: _Int, which: Index) -> _Int | int:
    """Return the values of the subtables of some lookups; one number if all subtables have the same."""
    if (values == values[0]).all():
        return int(values[0])
    return values[table[which]]


_Values = dict[str, NDArray[Any] | int]


@dataclass(frozen=True)
class _Block:
    """One part of the rows of one operand of some lookups, all of one size and in one tier."""

    operand: int
    which: Index
    kind: int
    first: int  # burst of the row that the part begins with
    fields: _Values  # of its entries; what is left out is 0
    of_lookups: dict[str, NDArray[Any]]  # fields of which there is a value for every lookup
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
    has
        bool, like `table`: there is such an operand.
    meets
        bool (lookups,): the lookup's rows are multiplied with each other.
    """

    def __init__(
        self, placement: ModelPlacement, table: _Int, global_row: _Int, has: _Bool, meets: _Bool
    ) -> None:
        self.placement, self.table, self.global_row, self.meets = placement, table, global_row, meets
        self.width, self.size = table.shape
        # Items of every operand, at last immediates; an operand is one until more are added.
        self.counts = np.zeros((self.width + 1, self.size), np.uint32)
        self.counts[:-1] = has
        self.in_pim = np.zeros(table.shape, bool)
        self.slices = max(region.shape.slices for region in placement.home.regions.values())
        # Of the main operand, slice by slice.
        self.channel, self.unit = (np.zeros((self.slices, self.size), np.uint16) for _ in range(2))
        self.rank = np.zeros((self.slices, self.size if self.slices > 1 else 0), np.int64)
        self.carried = np.zeros(self.rank.shape, np.uint8)
        self.lut_bytes = self.pair_elements = 0
        self.shared = 0  # operands that need no instruction of their own
        self._blocks: list[_Block] = []

    def add(self, operand: int, which: Index, layout: TierLayout, size: int, places: list[Located]) -> None:
        """Read rows of one size, part by part: slices or pieces."""
        shape = layout.shape(size)
        rank: list[_Int | int] = list(range(len(places)))
        carried: list[NDArray[np.uint8] | int] = [0] * len(places)
        if shape.slices > 1:
            order, follows = _by_channel(np.stack([place.channel for place in places]))
            rank = list(order)
            if layout.tier.pim is not None and layout.tier.pim.delivery == "broadcast":
                carried = list(follows)
        for part, place in enumerate(places):
            self._add_part(
                operand, which, layout, size, part, place, rank[part], carried[part], shape.slot_bytes
            )
        self._count(operand, which, len(places), at_pe=layout.tier.pim is not None)
        if operand == self.width - 1:
            for part, place in enumerate(places[: self.slices]):
                self.channel[part][which] = place.channel
                if layout.tier.pim is not None:
                    self.unit[part][which] = place.unit
                if self.slices > 1:
                    self.rank[part][which] = rank[part]
                    self.carried[part][which] = carried[part]

    def add_slice(
        self, operand: int, which: Index, layout: TierLayout, size: int, part: int, place: Located
    ) -> None:
        """Read one slice of a whole row, where a slice of the lookup's main row is."""
        slot = layout.shape(size).slot_bytes
        moved = replace(place, column=place.column + part * slot // layout.spec.burst_bytes)
        rank, carried = self.rank[part][which], self.carried[part][which]
        self._add_part(operand, which, layout, size, part, moved, rank, carried, slot)
        self._count(operand, which, part + 1, at_pe=True)

    def _add_part(
        self,
        operand: int,
        which: Index,
        layout: TierLayout,
        size: int,
        part: int,
        place: Located,
        rank: _Int | int,
        carried: NDArray[np.uint8] | int,
        slot_bytes: int,
    ) -> None:
        fields: _Values = {
            "channel": place.channel,
            "bank": place.bank,
            "row": place.row,
            "column": place.column,
            "bursts": layout.bursts(size, part),
            "flags": carried,
        }
        kind, of_lookups = ITEM_HOST_READ, {}
        if layout.tier.pim is None:
            fields |= {"line": place.line.view(np.uint64), "unit": NO_UNIT}
        else:
            kind, cache = ITEM_PIM_READ, self.placement.cache
            fields["unit"] = place.unit
            of_lookups["line"] = cache.line(self.global_row[operand], part).view(np.uint64)
            if cache.sets:
                kept = cache.keeps(self.table[operand][which], self.global_row[operand][which])
                fields["flags"] = kept.view(np.uint8) * np.uint8(FLAG_CACHE) | np.uint8(carried)
        first = part * slot_bytes // layout.spec.burst_bytes
        self._blocks.append(_Block(operand, which, kind, first, fields, of_lookups, layout, rank))

    def add_lut(self, operand: int, which: Index, number: _Int) -> None:
        """Read rows of the LUT at the units of the main operands."""
        layout = self.placement.pim_layout
        if layout is None or not number.size:
            return
        sizes = np.array([layout.bursts(table.row_bytes) for table in self.placement.subtables], np.int64)
        bursts = of_tables(sizes, self.table[operand], which)
        total = bursts * number.size if isinstance(bursts, int) else int(bursts.sum())
        self.lut_bytes += total * layout.spec.burst_bytes
        fields: _Values = {"row": number.astype(np.uint32), "bursts": _as(np.uint16, bursts)}
        of_main = {"channel": self.channel[0], "unit": self.unit[0]}
        self._blocks.append(_Block(operand, which, ITEM_PIM_LUT, 0, fields, of_main, layout, 0))
        self._count(operand, which, 1, at_pe=True)

    def add_pairs(self, layout: TierLayout, which: _Int, place: Located, global_row: _Int) -> None:
        """Read sums of pairs in place of some lookups, by places and row numbers over the model."""
        pim = layout.tier.pim is not None
        line = self.placement.cache.line(global_row, 0) if pim else place.line
        fields: _Values = {
            "channel": place.channel,
            "bank": place.bank,
            "row": place.row,
            "column": place.column,
            "bursts": layout.bursts(layout.vector_bytes),
            "line": line.view(np.uint64),
            "unit": place.unit if pim else NO_UNIT,
            "segment": 0,
        }
        if pim:
            self.pair_elements = which.size * layout.vector_bytes // ELEMENT_BYTES
        kind = ITEM_PIM_READ if pim else ITEM_HOST_READ
        self._blocks.append(_Block(self.width - 1, which, kind, 0, fields, {}, layout, 0))
        self.counts[self.width - 1][which] = 1  # in place of what was taken out
        self._count(self.width - 1, which, 1, at_pe=pim)

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
                block.fields["flags"] = unadded.view(np.uint8) * np.uint8(FLAG_UNADDED)
        tables, burst = self.placement.subtables, layout.spec.burst_bytes
        begin = np.array([part.segment_bytes // burst for part in tables], np.int64)
        size = np.array([(part.covers_bytes or part.row_bytes) // burst for part in tables], np.int64)
        mine, table = on_host[:, which], self.table[:, which]
        first = np.where(mine, begin[table], int((begin + size).max())).min(axis=0)
        last = np.where(mine, begin[table] + size[table], 0).max(axis=0)
        channel, unit = np.divmod(node[which], layout.units)
        fields: _Values = {
            "channel": _as(np.uint16, channel + layout.first_channel),
            "unit": _as(np.uint16, unit),
            "row": _as(np.uint32, np.where(mine, self.counts[:-1][:, which], 0).sum(axis=0)),
            "bursts": _as(np.uint16, last - first),
            "segment": _as(np.uint8, first),
        }
        self._blocks.append(_Block(self.width, which, ITEM_PIM_IMMEDIATE, 0, fields, {}, layout, 0))
        self.counts[self.width, which] = 1
        return int((last - first).sum()) * burst // ELEMENT_BYTES

    def _count(self, operand: int, which: Index, items: int, *, at_pe: bool) -> None:
        # Two indices at once would be several times slower.
        if items != 1:
            self.counts[operand][which] = items
        if at_pe:
            self.in_pim[operand][which] = True

    def in_tier(self, layout: TierLayout) -> _Bool:
        """Which lookups have their main row in a tier."""
        channel, channels = self.channel[0], layout.channels
        inside: _Bool = channel < channels.stop
        return inside & (channel >= channels.start) if channels.start else inside

    # --- into program order

    def fill(self, slot: NDArray[np.uint32]) -> tuple[dict[str, NDArray[Any]], Starts]:
        """Return the work arrays, and where each lookup's items start; `slot` is empty if all slots are 0."""
        starts = Starts(self.counts)
        # Nothing need be written that is there: arrays begin as zeros.
        written = [
            {name: part for name, part in self._fields(block).items() if _is_some(part)}
            for block in self._blocks
        ]
        everywhere = set.intersection(*map(set, written)) if written else set()
        items: dict[str, NDArray[Any]] = {
            name: (np.empty if name in everywhere else np.zeros)(starts.items, dtype)
            for name, dtype in ITEM_DTYPES.items()
        }
        of_lookups = {"slot": slot} if slot.size else {}
        for block, fields in zip(self._blocks, written, strict=True):
            put_block(
                items,
                fields,
                by_lookup=of_lookups | block.of_lookups,
                lookups=self.size,
                entries=self.size if isinstance(block.which, slice) else block.which.size,
                which=None if isinstance(block.which, slice) else block.which,
                **self._position(starts, block),
            )
        self._roles(items, starts)
        layout = self.placement.pim_layout
        if layout is not None and layout.tier.pim is not None and layout.tier.pim.instruction_per == "lookup":
            self.shared = _share_instructions(items, starts.of_lookups)
        return items, starts

    def _position(self, starts: Starts, block: _Block) -> dict[str, Any]:
        """Where the items of a block go.

        The parts of an operand stand together, except that slices of rows that are multiplied stand with
        the same slices of the other operands.
        """
        if self.slices > 1 and self.meets.any():
            # Lookups that do not meet have a single operand then: all the same.
            operands, member = self._members
            rank = block.rank * operands[block.which] + member[block.operand, block.which]
            return {"start": starts.of_lookups, "rank": rank}
        start, offset = starts.of_operand(block.operand)
        if self.counts[self.width].any():
            start, offset = self._beside_immediates(starts, block.operand), 0
        if isinstance(block.rank, int):
            return {"start": start, "offset": offset + block.rank}
        return {"start": start, "offset": offset, "rank": block.rank}

    @cached_property
    def _members(self) -> tuple[_Int, _Int]:
        """How many operands every lookup has, and how many before each."""
        there = self.counts > 0
        return there.sum(axis=0), np.cumsum(there, axis=0) - 1

    def _beside_immediates(self, starts: Starts, operand: int) -> _Int:
        """Where an operand's items stand: an immediate follows the host's reads, and a PE's main row it."""
        early = (self.counts[self.width] > 0) & self.in_pim[self.width - 1]
        main, own = starts.array_of_operand(self.width - 1), starts.array_of_operand(operand)
        if operand == self.width - 1:
            own += early
        return np.where(early, main, own) if operand == self.width else own

    def _fields(self, block: _Block) -> _Values:
        adds = block.kind != ITEM_HOST_READ and "segment" not in block.fields
        return {**block.fields, "kind": block.kind, **(self._where_it_adds(block) if adds else {})}

    def _where_it_adds(self, block: _Block) -> _Values:
        segment, covers, alu = self._of_tables(block.layout)
        whole = covers > 0  # a core is part of every burst of the vector
        values = {"segment": np.where(whole, 0, segment + block.first), "covers": covers, "alu": alu}
        table = self.table[block.operand]
        return {
            name: _as(ITEM_DTYPES[name], of_tables(of_each, table, block.which))
            for name, of_each in values.items()
        }

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

    def _roles(self, items: dict[str, NDArray[Any]], starts: Starts) -> None:
        """LOAD first, MAC last and MUL between them, in every group of rows that are multiplied."""
        if not self.meets.any():
            return
        role = items["role"]
        if starts.step and self.slices == 1 and self.meets.all() and not self.counts[self.width].any():
            of_lookups = role.reshape(-1, starts.step)
            of_lookups[:, 1:-1] = ROLE_MUL
            of_lookups[:, 0] = ROLE_LOAD
            of_lookups[:, -1] = ROLE_MAC
            return
        meets = chosen(self.meets)
        first = starts.of_lookups[meets]
        length: _Int = self.counts[:-1].sum(axis=0, dtype=np.int64)[meets]
        if length.max() > 2:
            role[np.repeat(first, length) + _ordinals(length)] = ROLE_MUL
        if self.slices > 1:
            groups: _Int = self.counts[self.width - 1, meets].astype(np.int64)
            length = np.repeat(length // groups, groups)
            first = np.repeat(first, groups) + length * _ordinals(groups)
        role[first] = ROLE_LOAD
        role[first + length - 1] = ROLE_MAC


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


def _is_some(values: NDArray[Any] | int) -> bool:
    """Whether values are not all 0, as far as is known without looking."""
    return not isinstance(values, int) or values != 0


def _as(dtype: Any, values: NDArray[Any] | int) -> NDArray[Any] | int:
    """Values in the width of a work array; a number for all of them stays one."""
    return values if isinstance(values, int) else values.astype(dtype)


def _by_channel(channel: NDArray[np.uint16]) -> tuple[_Int, NDArray[np.uint8]]:
    """Order of every slice when those of a channel stand together, and whether it follows one of its own.

    All arrays are (slices, lookups).
    """
    order = np.argsort(channel, axis=0, kind="stable")
    rank, carried = np.empty_like(order), np.empty(order.shape, np.uint8)
    np.put_along_axis(rank, order, np.arange(len(channel))[:, None], axis=0)
    sorted_channel = np.take_along_axis(channel, order, axis=0)
    follows = np.zeros_like(carried)
    follows[1:] = (sorted_channel[1:] == sorted_channel[:-1]) * FLAG_CARRIED
    np.put_along_axis(carried, order, follows, axis=0)
    return rank, carried


def _ordinals(counts: _Int) -> _Int:
    """0, 1, ..., count - 1 for every count, one after the other."""
    ends = np.cumsum(counts)
    total = int(ends[-1]) if ends.size else 0
    ordinals: _Int = np.arange(total) - np.repeat(ends - counts, counts)
    return ordinals
