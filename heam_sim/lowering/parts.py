# SPDX-License-Identifier: MIT
"""The places at which operands are read, collected part by part and then put into program order."""

from __future__ import annotations

from dataclasses import dataclass
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

__all__ = ["Parts"]

_Int = NDArray[np.int64]
_Bool = NDArray[np.bool_]


@dataclass(frozen=True)
class _Block:
    """One part of the rows of one operand of some lookups, all of one size and in one tier."""

    operand: int
    which: _Int
    part: int
    kind: int
    bursts: _Int
    first: int  # burst of the row that the part begins with
    fields: dict[str, _Int]
    layout: TierLayout

    def carry(self, rank: _Int, carried: _Int) -> None:
        """Say which of an operand's parts this one is, and whether it comes with another's instruction."""
        self.fields["rank"] = rank
        self.fields["flags"] = self.fields.get("flags", np.zeros_like(carried)) | carried


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
        self._blocks: list[_Block] = []

    def add(self, operand: int, which: _Int, layout: TierLayout, size: int, places: list[Located]) -> None:
        """Read rows of one size, part by part: slices or pieces."""
        shape = layout.shape(size)
        rank = np.repeat(np.arange(len(places))[:, None], which.size, axis=1)
        carried = np.zeros_like(rank)
        if shape.slices > 1:
            rank, carried = _by_channel(np.stack([place.channel for place in places]))
        if layout.tier.pim is None or layout.tier.pim.delivery != "broadcast":
            carried[:] = 0
        for part, place in enumerate(places):
            self._add_part(operand, which, layout, size, part, place, shape.slot_bytes)
            self._blocks[-1].carry(rank[part], carried[part])
        if operand == self.width - 1:
            for part, place in enumerate(places[: self.slices]):
                self.channel[part, which] = place.channel
                self.unit[part, which] = place.unit
                self.rank[part, which] = rank[part]
                self.carried[part, which] = carried[part]

    def add_slice(
        self, operand: int, which: _Int, layout: TierLayout, size: int, part: int, place: Located
    ) -> None:
        """Read one slice of a whole row, where a slice of the lookup's main row is."""
        slot = layout.shape(size).slot_bytes
        moved = Located(
            place.channel,
            place.bank,
            place.row,
            place.column + part * slot // layout.spec.burst_bytes,
            place.unit,
            place.line,
        )
        self._add_part(operand, which, layout, size, part, moved, slot)
        self._blocks[-1].carry(self.rank[part, which], self.carried[part, which])

    def _add_part(
        self,
        operand: int,
        which: _Int,
        layout: TierLayout,
        size: int,
        part: int,
        place: Located,
        slot_bytes: int,
    ) -> None:
        pim = layout.tier.pim is not None
        fields = {
            "channel": place.channel,
            "bank": place.bank,
            "row": place.row,
            "column": place.column,
        }
        if pim:
            fields["unit"] = place.unit
            row = self.global_row[operand, which]
            keeps = self.placement.cache.keeps(self.table[operand, which], row)
            fields["line"] = self.placement.cache.line(row, part)
            fields["flags"] = keeps * FLAG_CACHE
        else:
            fields["line"] = place.line
        bursts = np.full(which.size, layout.bursts(size, part))
        self._keep(
            _Block(
                operand,
                which,
                part,
                ITEM_PIM_READ if pim else ITEM_HOST_READ,
                bursts,
                part * slot_bytes // layout.spec.burst_bytes,
                fields,
                layout,
            )
        )

    def add_lut(self, operand: int, which: _Int, number: _Int) -> None:
        """Read rows of the LUT at the units of the main operands."""
        layout = self.placement.pim_layout
        if layout is None or not which.size:
            return
        sizes = np.array([layout.bursts(table.row_bytes) for table in self.placement.subtables], np.int64)
        fields = {"channel": self.channel[0, which], "unit": self.unit[0, which], "row": number}
        bursts = sizes[self.table[operand, which]]
        self.lut_bytes += int(bursts.sum()) * layout.spec.burst_bytes
        self._keep(_Block(operand, which, 0, ITEM_PIM_LUT, bursts, 0, fields, layout))

    def add_pairs(self, layout: TierLayout, which: _Int, place: Located, global_row: _Int) -> None:
        """Read sums of pairs in place of some lookups, by places and row numbers over the model."""
        pim = layout.tier.pim is not None
        fields = {
            "channel": place.channel,
            "bank": place.bank,
            "row": place.row,
            "column": place.column,
            "line": self.placement.cache.line(global_row, 0) if pim else place.line,
            "segment": np.zeros_like(which),
        }
        if pim:
            fields["unit"] = place.unit
            self.pair_elements = which.size * layout.vector_bytes // ELEMENT_BYTES
        bursts = np.full(which.size, layout.bursts(layout.vector_bytes))
        kind = ITEM_PIM_READ if pim else ITEM_HOST_READ
        self._keep(_Block(self.width - 1, which, 0, kind, bursts, 0, fields, layout))

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
        first = np.where(mine, begin[table], layout.vector_bursts).min(axis=0)
        last = np.where(mine, begin[table] + size[table], 0).max(axis=0)
        channel, unit = np.divmod(node[which], layout.units)
        fields = {
            "channel": channel + layout.first_channel,
            "unit": unit,
            "row": np.where(mine, self.counts[:-1][:, which], 0).sum(axis=0),
            "segment": first,
        }
        self._blocks.append(_Block(self.width, which, 0, ITEM_PIM_IMMEDIATE, last - first, 0, fields, layout))
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
        ends = np.cumsum(self.counts.sum(axis=0))
        size = int(ends[-1]) if ends.size else 0
        starts = ends - self.counts.sum(axis=0)
        items: dict[str, NDArray[Any]] = {name: np.zeros(size, dtype) for name, dtype in ITEM_DTYPES.items()}
        items["unit"][:] = NO_UNIT
        items["slot"][:] = np.repeat(slot, ends - starts)
        before = np.cumsum(self.counts, axis=0) - self.counts
        # An immediate follows the host's reads; a main row that a PE reads comes behind it.
        early = (self.counts[self.width] > 0) & self.in_pim[self.width - 1]
        before[self.width, early] = before[self.width - 1, early]
        before[self.width - 1, early] += 1
        member = np.cumsum(self.counts > 0, axis=0) - 1
        interleaved = self.meets & (self.slices > 1)
        for block in self._blocks:
            which = block.which
            rank = block.fields.pop("rank", np.zeros(which.size, np.int64))
            step = np.where(interleaved[which], (self.counts[:, which] > 0).sum(axis=0), 1)
            offset = np.where(interleaved[which], member[block.operand, which], before[block.operand, which])
            at = starts[which] + rank * step + offset
            for name, values in block.fields.items():
                items[name][at] = values
            items["kind"][at] = block.kind
            items["bursts"][at] = block.bursts
            if block.kind != ITEM_HOST_READ and "segment" not in block.fields:
                self._say_where_it_adds(items, at, block)
        self._roles(items, starts, ends - self.counts[self.width])
        return items, ends

    def _say_where_it_adds(self, items: dict[str, NDArray[Any]], at: _Int, block: _Block) -> None:
        tables, layout = self.placement.subtables, block.layout
        burst, pim = layout.spec.burst_bytes, layout.tier.pim
        assert pim is not None
        table = self.table[block.operand, block.which]
        segment = np.array([part.segment_bytes // burst for part in tables], np.int64)
        covers = np.array([part.covers_bytes // burst for part in tables], np.int64)
        lanes = max(pim.alu_bytes_per_cycle // 4, 1)
        read = [-(-layout.shape(part.row_bytes).read_bytes // burst) for part in tables]
        alu = [-(-part.macs // (lanes * bursts)) for part, bursts in zip(tables, read, strict=True)]
        whole = covers[table] > 0  # a core is part of every burst of the vector
        items["segment"][at] = np.where(whole, 0, segment[table] + block.first)
        items["covers"][at] = covers[table]
        if max(alu) > np.iinfo(np.uint16).max:
            raise ConfigError(
                f"embedding: a row needs {max(alu)} ALU cycles for each burst, more than is counted; lower "
                "the rank or widen pim.alu_bytes_per_cycle."
            )
        items["alu"][at] = np.array(alu)[table]

    def _roles(self, items: dict[str, NDArray[Any]], starts: _Int, ends: _Int) -> None:
        """LOAD first, MAC last and MUL between them, in every group of rows that are multiplied."""
        meets = np.flatnonzero(self.meets)
        if not meets.size:
            return
        length = ends - starts
        chain = np.repeat(starts[meets] - np.cumsum(length[meets]) + length[meets], length[meets])
        chain += np.arange(chain.size)
        items["role"][chain] = ROLE_MUL
        groups = np.ones(meets.size, np.int64)
        if self.slices > 1:
            groups = self.counts[self.width - 1, meets]
        length = length[meets] // groups
        first = np.repeat(starts[meets], groups) + np.repeat(length, groups) * _ordinals(groups)
        items["role"][first] = ROLE_LOAD
        items["role"][first + np.repeat(length, groups) - 1] = ROLE_MAC


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
